{{- /* What Python reads; an empty port means no metrics, also for those whose own manifest names another one. */}}
{{- define "tinderbox.monitoring.environment" -}}
- name: TINDERBOX_METRICS_PORT
  value: {{ .Values.monitoring.enabled | ternary "9095" "" | quote }}
- name: TINDERBOX_METRICS_SOCKET
  value: /tmp/tinderbox-metrics.sock
{{- end }}

{{- define "tinderbox.monitoring.annotations" -}}
{{- if and .Values.monitoring.enabled .Values.monitoring.annotations -}}
prometheus.io/scrape: "true"
prometheus.io/port: "9095"
prometheus.io/path: /metrics
{{- end }}
{{- end }}

{{- /* What Prometheus scrapes, whoever runs it: the names of ports of pods, and where they answer. */}}
{{- define "tinderbox.monitoring.jobs" -}}
- {name: tinderbox, port: metrics, path: /metrics}
- {name: tinderbox-spark-driver, port: ui, path: /metrics/prometheus/}
- {name: tinderbox-spark-executors, port: ui, path: /metrics/executors/prometheus/}
{{- end }}

{{- /* What the ConfigMap of a dashboard's file appends to the release's name. */}}
{{- define "tinderbox.monitoring.dashboard" -}}
-dashboard-{{ base . | trimSuffix ".json" | trimPrefix "tinderbox-" }}
{{- end }}
