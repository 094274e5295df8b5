{{- define "tinderbox.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* 40 characters leave room for what other names append. */}}
{{- define "tinderbox.fullname" -}}
{{- $name := include "tinderbox.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /* Labels of an object: list $ "component". */}}
{{- define "tinderbox.labels" -}}
{{- $root := first . -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
{{ include "tinderbox.selectorLabels" . }}
{{- end }}

{{- /* What never changes while a release lives: list $ "component". */}}
{{- define "tinderbox.selectorLabels" -}}
{{- $root := first . -}}
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{ include "tinderbox.podLabels" . }}
{{- end }}

{{- /* Labels of pods that no release owns, drivers and executors; manifests know them too: list $ "component". */}}
{{- define "tinderbox.podLabels" -}}
app.kubernetes.io/name: {{ include "tinderbox.name" (first .) }}
app.kubernetes.io/part-of: tinderbox
app.kubernetes.io/component: {{ last . }}
{{- end }}

{{- /* Head of an object's metadata: list $ "component" "-suffix". */}}
{{- define "tinderbox.metadata" -}}
{{- $root := first . -}}
name: {{ include "tinderbox.fullname" $root }}{{ last . }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "tinderbox.labels" (list $root (index . 1)) | nindent 2 }}
{{- end }}

{{- define "tinderbox.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end }}
{{- end }}

{{- define "tinderbox.pullSecrets" -}}
{{- with .Values.image.pullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* Pod Security "restricted" asks for these; fsGroup makes volumes writable. */}}
{{- define "tinderbox.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "tinderbox.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* A dead node's pods are given up after 30 s instead of Kubernetes' 300, so that others can take their place. */}}
{{- define "tinderbox.tolerations" -}}
{{- range list "not-ready" "unreachable" }}
- key: node.kubernetes.io/{{ . }}
  operator: Exists
  effect: NoExecute
  tolerationSeconds: 30
{{- end }}
{{- with . }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* A quantity as a number of mebibytes; the schema allows Mi and Gi. */}}
{{- define "tinderbox.mebibytes" -}}
{{- if hasSuffix "Gi" . }}{{ trimSuffix "Gi" . | int | mul 1024 }}{{ else }}{{ trimSuffix "Mi" . | int }}{{ end }}
{{- end }}

{{- /* Java's share of a pod's memory in mebibytes: it only hosts Python here, and below 450 Spark does not start. */}}
{{- define "tinderbox.heap" -}}
{{- div (include "tinderbox.mebibytes" .) 4 | max 512 | min 2048 }}
{{- end }}
