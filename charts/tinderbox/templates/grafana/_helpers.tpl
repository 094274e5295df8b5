{{- /* The Prometheus that Grafana asks; empty where there is none. */}}
{{- define "tinderbox.grafana.prometheus" -}}
{{- if .Values.grafana.prometheusUrl }}
{{- .Values.grafana.prometheusUrl }}
{{- else if .Values.prometheus.enabled }}
{{- printf "http://%s-prometheus:9090" (include "tinderbox.fullname" .) }}
{{- end }}
{{- end }}

{{- /* The Secret with the administrator's name and password. */}}
{{- define "tinderbox.grafana.secret" -}}
{{- default (printf "%s-grafana" (include "tinderbox.fullname" .)) .Values.grafana.existingSecret }}
{{- end }}

{{- define "tinderbox.grafana.guards" -}}
{{- include "tinderbox.monitoring.exported" (list . "grafana.enabled") }}
{{- if not (include "tinderbox.grafana.prometheus" .) }}
{{- fail "grafana.enabled=true needs a Prometheus to ask: set prometheus.enabled=true, or name yours in grafana.prometheusUrl" }}
{{- end }}
{{- if not .Values.monitoring.dashboards.enabled }}
{{- fail "grafana.enabled=true shows dashboards, and monitoring.dashboards.enabled=false leaves them out: switch both on, or both off" }}
{{- end }}
{{- end }}
