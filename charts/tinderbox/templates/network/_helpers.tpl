{{- /* Pods of this kind of work: a component's name. */}}
{{- define "tinderbox.network.pods" -}}
podSelector:
  matchLabels:
    app.kubernetes.io/part-of: tinderbox
    app.kubernetes.io/component: {{ . }}
{{- end }}

{{- /* Ports, each a number or a range such as "7100-7163". */}}
{{- define "tinderbox.network.tcp" -}}
ports:
  {{- range . }}
  {{- $ends := toString . | splitList "-" }}
  - {protocol: TCP, port: {{ first $ends }}{{ with rest $ends }}, endPort: {{ first . }}{{ end }}}
  {{- end }}
{{- end }}

{{- /* Who may read metrics: list $ port ... */}}
{{- define "tinderbox.network.metrics" -}}
{{- $root := first . }}
{{- $namespaces := $root.Values.networkPolicy.monitoringNamespaces }}
{{- if and $root.Values.monitoring.enabled (or $namespaces $root.Values.prometheus.enabled) -}}
- from:
    {{- with $namespaces }}
    - namespaceSelector:
        matchExpressions:
          - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson . }}}
    {{- end }}
    {{- if $root.Values.prometheus.enabled }}
    -
      {{- include "tinderbox.network.pods" "prometheus" | nindent 6 }}
    {{- end }}
  {{- include "tinderbox.network.tcp" (rest .) | nindent 2 }}
{{- end }}
{{- end }}

{{- define "tinderbox.network.dns" -}}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end }}

{{- /* The port of a URL. */}}
{{- define "tinderbox.network.portOf" -}}
{{- $url := urlParse . }}
{{- regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "https" | ternary "443" "80") }}
{{- end }}
