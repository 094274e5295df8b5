{{- /* What else the console runs beside the studies. */}}

{{- /* Reports and models of studies, for a port-forward only: it listens where no other pod can reach it. */}}
{{- define "tinderbox.console.files" -}}
name: studies
image: {{ include "tinderbox.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [tini, --, python, -m, http.server, "8080", --bind, 127.0.0.1, --directory, /studies]
securityContext:
  {{- include "tinderbox.containerSecurity" . | nindent 2 }}
resources:
  requests: {cpu: 10m, memory: 64Mi}
  limits: {memory: 64Mi}
volumeMounts:
  - {name: studies, mountPath: /studies, subPath: studies, readOnly: true}
{{- end }}

{{- /* Metrics of studies that have ended: their drivers are gone. */}}
{{- define "tinderbox.console.metrics" -}}
name: metrics
command: [tini, --, python, -m, tinderbox.api.console]
env:
  - name: TINDERBOX_NODE
    valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
  {{- include "tinderbox.monitoring.environment" . | nindent 2 }}
  {{- include "tinderbox.console.storage" . | nindent 2 }}
ports:
  - {name: metrics, containerPort: 9095}
{{ include "tinderbox.console.reader" (list . "256Mi") }}
{{- end }}

{{- /* Optuna's dashboard, for a port-forward only. */}}
{{- define "tinderbox.console.optuna" -}}
name: optuna
command: [tini, --, python, -m, tinderbox.report.dashboard]
env:
  {{- include "tinderbox.console.storage" . | nindent 2 }}
{{ include "tinderbox.console.reader" (list . "512Mi") }}
{{- end }}

{{- define "tinderbox.console.storage" -}}
- name: TINDERBOX_STORAGE
  value: {{ include "tinderbox.storage.place" . }}
{{- end }}

{{- /* A container that reads studies wherever they are, and writes none: list $ "memory". */}}
{{- define "tinderbox.console.reader" -}}
{{- $root := first . -}}
image: {{ include "tinderbox.image" $root }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
securityContext:
  {{- include "tinderbox.containerSecurity" $root | nindent 2 }}
{{- with $root.Values.storage.credentialsSecret }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
resources:
  requests: {cpu: 10m, memory: {{ last . }}}
  limits: {memory: {{ last . }}}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- if include "tinderbox.storage.claim" $root }}
  - {name: studies, mountPath: /studies, subPath: studies, readOnly: true}
  {{- end }}
{{- end }}
