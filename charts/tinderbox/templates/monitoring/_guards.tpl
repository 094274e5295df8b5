{{- /* Who looks at metrics needs some: list $ "the switch that is on". */}}
{{- define "tinderbox.monitoring.exported" -}}
{{- $root := first . }}
{{- if not $root.Values.monitoring.enabled }}
{{- fail (printf "monitoring.enabled=false leaves nothing to look at for %s=true: switch both on, or both off" (last .)) }}
{{- end }}
{{- end }}

{{- /* Monitors and rules are for the Prometheus operator: list $ "the switch that is on" "Kind". */}}
{{- define "tinderbox.monitoring.operator" -}}
{{- $root := first . }}
{{- $kind := printf "monitoring.coreos.com/v1/%s" (last .) }}
{{- if not ($root.Capabilities.APIVersions.Has $kind) }}
{{- fail (printf "this cluster does not know %s, and %s=true needs it: install the Prometheus operator, or leave the switch off; helm template needs --api-versions %s" $kind (index . 1) $kind) }}
{{- end }}
{{- end }}
