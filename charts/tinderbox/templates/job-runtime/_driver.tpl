{{- /* The Job of a driver, without what a job file decides: its name, command, ConfigMap and data.
       `tinderbox submit` builds Jobs from it, and jobs/*.yaml hold what it says by default. */}}
{{- define "tinderbox.runtime.driver" -}}
{{- $driver := .Values.driver }}
apiVersion: batch/v1
kind: Job
metadata:
  labels:
    {{- include "tinderbox.podLabels" (list . "driver") | nindent 4 }}
    {{- with .Values.kueue.queue }}
    kueue.x-k8s.io/queue-name: {{ . }}
    {{- end }}
spec:
  backoffLimit: {{ $driver.retries }}
  activeDeadlineSeconds: {{ $driver.deadlineSeconds }}
  ttlSecondsAfterFinished: {{ $driver.keepSeconds }}
  podReplacementPolicy: Failed
  podFailurePolicy:
    rules:
      - action: Ignore
        onPodConditions: [{type: DisruptionTarget, status: "True"}]
      - action: FailJob
        onExitCodes: {containerName: driver, operator: In, values: [2, 3, 4, 5]}
  template:
    metadata:
      labels:
        {{- include "tinderbox.podLabels" (list . "driver") | nindent 8 }}
        {{- with include "tinderbox.storage.label" . }}
        {{- . | nindent 8 }}
        {{- end }}
      {{- with include "tinderbox.monitoring.annotations" . }}
      annotations:
        {{- . | nindent 8 }}
      {{- end }}
    spec:
      {{- include "tinderbox.runtime.driverPod" . | trim | nindent 6 }}
{{- end }}

{{- define "tinderbox.runtime.driverPod" -}}
{{- $driver := .Values.driver }}
{{- $name := include "tinderbox.fullname" . }}
restartPolicy: Never
serviceAccountName: {{ $name }}-driver
enableServiceLinks: false
terminationGracePeriodSeconds: {{ $driver.graceSeconds }}
securityContext:
  {{- include "tinderbox.podSecurity" . | nindent 2 }}
{{- with include "tinderbox.pullSecrets" . }}
{{ . }}
{{- end }}
tolerations:
  {{- include "tinderbox.tolerations" $driver.tolerations | trim | nindent 2 }}
{{- with $driver.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $driver.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with include "tinderbox.storage.affinity" . }}
affinity:
  {{- . | nindent 2 }}
{{- end }}
containers:
  - name: driver
    image: {{ include "tinderbox.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    workingDir: /work
    terminationMessagePolicy: FallbackToLogsOnError
    securityContext:
      {{- include "tinderbox.containerSecurity" . | nindent 6 }}
    env:
      {{- include "tinderbox.runtime.driverEnvironment" . | trim | nindent 6 }}
    {{- with .Values.storage.credentialsSecret }}
    envFrom:
      - secretRef: {name: {{ . }}}
    {{- end }}
    ports:
      - {name: driver, containerPort: 7078}
      - {name: blocks, containerPort: 7079}
      - {name: coordinator, containerPort: 7070}
      - {name: ui, containerPort: 4040}
      - {name: metrics, containerPort: 9095}
    resources:
      requests: {cpu: {{ $driver.cpu | quote }}, memory: {{ $driver.memory }}}
      limits: {memory: {{ $driver.memory }}}
    volumeMounts:
      - {name: spark, mountPath: /etc/tinderbox/spark}
      - {name: work, mountPath: /work}
      - {name: tmp, mountPath: /tmp}
      {{- if include "tinderbox.storage.claim" . }}
      - {name: studies, mountPath: /studies, subPath: studies}
      - {name: studies, mountPath: /events, subPath: events}
      {{- end }}
      {{- with $driver.volumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: spark
    configMap: {name: {{ $name }}-spark}
  - {name: work, emptyDir: {}}
  - {name: tmp, emptyDir: {}}
  {{- with include "tinderbox.storage.volume" . }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with $driver.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
