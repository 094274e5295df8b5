{{- /* Pods of this kind of work: a component's name. */}}
{{- define "tinderbox.network.pods" -}}
podSelector:
  matchLabels:
    app.kubernetes.io/part-of: tinderbox
    app.kubernetes.io/component: {{ . }}
{{- end }}

{{- define "tinderbox.network.tcp" -}}
ports:
  {{- range . }}
  - {protocol: TCP, port: {{ . }}}
  {{- end }}
{{- end }}

{{- define "tinderbox.network.metrics" -}}
{{- with .Values.networkPolicy.monitoringNamespaces -}}
- from:
    - namespaceSelector:
        matchExpressions:
          - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson . }}}
  {{- include "tinderbox.network.tcp" (list 9095) | nindent 2 }}
{{- end }}
{{- end }}

{{- define "tinderbox.network.dns" -}}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end }}
