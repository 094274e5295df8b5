{{- /* prometheus.yml: the pods of this namespace, and the rules that lie beside it. */}}
{{- define "tinderbox.prometheus.configuration" -}}
global:
  scrape_interval: {{ .Values.prometheus.scrapeInterval }}
  evaluation_interval: {{ .Values.prometheus.scrapeInterval }}
rule_files:
  {{- range $path, $_ := .Files.Glob "monitoring/rules/*.yaml" }}
  - {{ base $path }}
  {{- end }}
scrape_configs:
  {{- range include "tinderbox.monitoring.jobs" . | fromYamlArray }}
  - job_name: {{ .name }}
    metrics_path: {{ .path }}
    kubernetes_sd_configs:
      - role: pod
        namespaces: {names: [{{ $.Release.Namespace }}]}
        selectors: [{role: pod, label: app.kubernetes.io/part-of=tinderbox}]
    relabel_configs:
      # Each port of each container is a target at first; pods that have ended stay for a day.
      - {source_labels: [__meta_kubernetes_pod_container_port_name], regex: {{ .port }}, action: keep}
      - {source_labels: [__meta_kubernetes_pod_phase], regex: Succeeded|Failed, action: drop}
      - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
      - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
  {{- end }}
{{- end }}
