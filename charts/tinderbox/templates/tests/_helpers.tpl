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

{{- /* A pod without rights that waits for an answer of a Service: list $ "-suffix of both" "port/path". */}}
{{- define "tinderbox.tests.visit" -}}
{{- $root := first . -}}
apiVersion: v1
kind: Pod
metadata:
  {{- include "tinderbox.tests.metadata" (list $root (index . 1)) | nindent 2 }}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext:
    {{- include "tinderbox.podSecurity" $root | nindent 4 }}
  {{- with include "tinderbox.pullSecrets" $root }}
  {{- . | nindent 2 }}
  {{- end }}
  containers:
    -
      {{- $address := printf "http://%s%s:%s" (include "tinderbox.fullname" $root) (index . 1) (last .) }}
      {{- include "tinderbox.tests.container" (list $root "files/answers.py" $address) | nindent 6 }}
{{- end }}
