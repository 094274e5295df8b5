{{- /* The pod template of executors; Spark adds image, command, memory, CPUs, its own volume and names. */}}
{{- define "tinderbox.runtime.executor" -}}
{{- $executor := .Values.executor }}
apiVersion: v1
kind: Pod
metadata:
  labels:
    {{- include "tinderbox.podLabels" (list . "executor") | nindent 4 }}
    {{- with .Values.kueue.queue }}
    kueue.x-k8s.io/queue-name: {{ . }}
    kueue.x-k8s.io/managed: "true"
    {{- end }}
    {{- with $executor.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with mergeOverwrite (include "tinderbox.runtime.executorAnnotations" . | fromYaml) $executor.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "tinderbox.fullname" . }}-executor
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext:
    {{- include "tinderbox.podSecurity" . | nindent 4 }}
  {{- with include "tinderbox.pullSecrets" . }}
  {{- . | nindent 2 }}
  {{- end }}
  tolerations:
    {{- include "tinderbox.tolerations" $executor.tolerations | trim | nindent 4 }}
  {{- with $executor.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $executor.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: {{ $executor.spread }}
      # Each job's executors are spread for themselves.
      matchLabelKeys: [spark-app-selector]
      labelSelector:
        matchLabels:
          app.kubernetes.io/part-of: tinderbox
          app.kubernetes.io/component: executor
  containers:
    - name: executor
      # Spark unpacks code into the working folder, and the root file system is read-only.
      workingDir: /work
      securityContext:
        {{- include "tinderbox.containerSecurity" . | nindent 8 }}
      env:
        {{- include "tinderbox.runtime.executorEnvironment" . | nindent 8 }}
      ports:
        - {name: metrics, containerPort: 9095}
      {{- with include "tinderbox.runtime.executorLimits" . | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      volumeMounts:
        - {name: work, mountPath: /work}
        - {name: tmp, mountPath: /tmp}
        {{- with $executor.volumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - {name: work, emptyDir: {}}
    - {name: tmp, emptyDir: {}}
    {{- with $executor.volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- define "tinderbox.runtime.executorAnnotations" -}}
{{- if .Values.kueue.queue }}
# Kueue admits only pods that name what suspends them, here the driver's Job.
kueue.x-k8s.io/pod-suspending-parent: {{ include "tinderbox.fullname" . }}-driver
{{- end }}
{{ include "tinderbox.monitoring.annotations" . }}
{{- end }}

{{- /* Limits that Spark does not know of and leaves as they are. */}}
{{- define "tinderbox.runtime.executorLimits" -}}
{{- with .Values.executor }}
{{- if or .gpus .disk -}}
resources:
  {{- with .disk }}
  requests:
    ephemeral-storage: {{ . }}
  {{- end }}
  limits:
    {{- with .disk }}
    ephemeral-storage: {{ . }}
    {{- end }}
    {{- if .gpus }}
    {{ .gpuResource }}: {{ .gpus }}
    {{- end }}
{{- end }}
{{- end }}
{{- end }}
