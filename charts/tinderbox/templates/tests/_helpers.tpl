{{- /* Head of a test's metadata: list $ "-suffix". A pod that failed stays, to be looked at. */}}
{{- define "tinderbox.tests.metadata" -}}
{{- include "tinderbox.metadata" (list (first .) "test" (printf "-test%s" (last .))) }}
annotations:
  helm.sh/hook: test
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{- /* Runs one of the chart's Python files: list $ "file" "argument" ... */}}
{{- define "tinderbox.tests.container" -}}
{{- $root := first . -}}
name: test
image: {{ include "tinderbox.image" $root }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
command: [tini, --, python, -c]
args:
  - |
    {{- $root.Files.Get (index . 1) | trim | nindent 4 }}
  {{- range slice . 2 }}
  - {{ . | squote }}
  {{- end }}
securityContext:
  {{- include "tinderbox.containerSecurity" $root | nindent 2 }}
resources:
  requests: {cpu: 10m, memory: 256Mi}
  limits: {memory: 256Mi}
{{- end }}
