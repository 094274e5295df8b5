{{- /* What Prometheus and Grafana, where the chart runs them, have in common. */}}

{{- define "tinderbox.bundled.image" -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end }}

{{- /* Head of a pod's specification: list $ "component". */}}
{{- define "tinderbox.bundled.pod" -}}
{{- $root := first . }}
{{- $values := get $root.Values (last .) -}}
enableServiceLinks: false
securityContext:
  {{- include "tinderbox.podSecurity" $root | nindent 2 }}
{{- with include "tinderbox.pullSecrets" $root }}
{{ . }}
{{- end }}
tolerations:
  {{- include "tinderbox.tolerations" $values.tolerations | trim | nindent 2 }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "tinderbox.bundled.resources" -}}
requests: {cpu: {{ .cpu | quote }}, memory: {{ .memory }}}
limits: {memory: {{ .memory }}}
{{- end }}

{{- /* The volume named data: list $ "component". */}}
{{- define "tinderbox.bundled.data" -}}
{{- $root := first . }}
{{- $values := get $root.Values (last .) -}}
name: data
{{- if $values.persistence.enabled }}
persistentVolumeClaim:
  claimName: {{ include "tinderbox.fullname" $root }}-{{ last . }}
{{- else }}
emptyDir:
  sizeLimit: {{ $values.persistence.size }}
{{- end }}
{{- end }}

{{- /* The claim of that volume, where it is to have one: list $ "component". */}}
{{- define "tinderbox.bundled.claim" -}}
{{- $root := first . }}
{{- $values := get $root.Values (last .) }}
{{- if and $values.enabled $values.persistence.enabled }}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  {{- include "tinderbox.metadata" (list $root (last .) (printf "-%s" (last .))) | nindent 2 }}
spec:
  accessModes: [ReadWriteOnce]
  {{- with $values.persistence.storageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests:
      storage: {{ $values.persistence.size }}
{{- end }}
{{- end }}
