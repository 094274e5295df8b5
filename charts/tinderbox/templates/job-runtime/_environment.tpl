{{- /* What the pod knows of itself, and what the chart tells Python of the release. */}}
{{- define "tinderbox.runtime.driverEnvironment" -}}
{{- range $variable, $path := dict "POD_NAME" "metadata.name" "POD_NAMESPACE" "metadata.namespace" "POD_IP" "status.podIP" "TINDERBOX_NODE" "spec.nodeName" }}
- name: {{ $variable }}
  valueFrom: {fieldRef: {fieldPath: {{ $path }}}}
{{- end }}
- name: SPARK_CONF_DIR
  value: /etc/tinderbox/spark
- name: TINDERBOX_STORAGE
  valueFrom: {configMapKeyRef: {name: {{ include "tinderbox.fullname" . }}-driver, key: storage}}
{{ include "tinderbox.monitoring.environment" . }}
- name: TINDERBOX_METRICS_LINGER
  value: {{ .Values.monitoring.lingerSeconds | quote }}
{{- with .Values.driver.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "tinderbox.runtime.executorEnvironment" -}}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: TINDERBOX_NODE
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
{{ include "tinderbox.monitoring.environment" . }}
{{- with .Values.executor.env }}
{{ toYaml . }}
{{- end }}
{{- end }}
