{{- /* Where drivers write Spark's event logs and the history server reads them. */}}
{{- define "tinderbox.console.eventLog" -}}
{{- default "file:///events" .Values.console.eventLog }}
{{- end }}

{{- define "tinderbox.console.guards" -}}
{{- $storage := .Values.storage }}
{{- with .Values.console }}
{{- if and $storage.url (not .eventLog) }}
{{- fail (printf "storage.url=%s leaves no volume for Spark's event logs: set console.eventLog to a Hadoop URL, or console.enabled=false" $storage.url) }}
{{- end }}
{{- if and (not $storage.url) (eq $storage.accessMode "ReadWriteOncePod") }}
{{- fail "storage.accessMode=ReadWriteOncePod lets one pod use the volume, and console.enabled=true is a second reader: use ReadWriteOnce, or console.enabled=false" }}
{{- end }}
{{- if and (not $storage.url) (not .besideDrivers) (ne $storage.accessMode "ReadWriteMany") }}
{{- fail (printf "console.besideDrivers=false puts a second reader of the volume on another node, and that needs storage.accessMode=ReadWriteMany, got %s" $storage.accessMode) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The history server: Spark's own class, found by the image's SPARK_HOME. */}}
{{- define "tinderbox.console.history" -}}
name: history
image: {{ include "tinderbox.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [tini, --, spark-class, org.apache.spark.deploy.history.HistoryServer]
workingDir: /tmp
securityContext:
  {{- include "tinderbox.containerSecurity" . | nindent 2 }}
env:
  - {name: SPARK_CONF_DIR, value: /etc/tinderbox/history}
  - {name: SPARK_DAEMON_MEMORY, value: {{ div (mul (include "tinderbox.mebibytes" .Values.console.memory) 5) 8 }}m}
  - {name: SPARK_DAEMON_JAVA_OPTS, value: -XX:TieredStopAtLevel=1 -XX:+UseSerialGC}
{{- if .Values.storage.url }}
{{- with .Values.storage.credentialsSecret }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
{{- end }}
ports:
  - {name: history, containerPort: 18080}
readinessProbe:
  httpGet: {path: /api/v1/version, port: history}
  periodSeconds: 5
resources:
  requests: {cpu: {{ .Values.console.cpu | quote }}, memory: {{ .Values.console.memory }}}
  limits: {memory: {{ .Values.console.memory }}}
volumeMounts:
  - {name: configuration, mountPath: /etc/tinderbox/history}
  - {name: tmp, mountPath: /tmp}
  {{- if include "tinderbox.storage.claim" . }}
  - {name: studies, mountPath: /events, subPath: events}
  {{- end }}
{{- end }}
