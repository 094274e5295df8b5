{{- /* Spark's settings as a mapping. What only a pod or a job knows, Python adds when it starts. */}}
{{- define "tinderbox.runtime.settings" -}}
{{- $executor := .Values.executor }}
{{- $fast := "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC" }}
spark.master: k8s://https://kubernetes.default.svc
{{- /* Fixed, so that a NetworkPolicy can name them. */}}
spark.driver.port: 7078
spark.driver.blockManager.port: 7079
spark.blockManager.port: 7079
spark.ui.port: 4040
spark.tinderbox.coordinator.port: 7070
{{- /* Spark's own traffic is open to every pod otherwise. */}}
spark.authenticate: true
spark.network.crypto.enabled: true
spark.driver.memory: {{ include "tinderbox.heap" .Values.driver.memory }}m
{{- /* Java only hosts Python: a quick start matters, peak speed does not. The image adds its class-data archives. */}}
spark.driver.extraJavaOptions: {{ $fast }} -Dlog4j2.configurationFile=file:///etc/tinderbox/spark/log4j2.properties
spark.executor.extraJavaOptions: {{ $fast }} -Dlog4j2.configurationFile=file:///opt/spark/conf/log4j2.properties
spark.executor.cores: {{ $executor.cores }}
spark.executor.memory: {{ include "tinderbox.heap" $executor.memory }}m
spark.executor.memoryOverhead: {{ include "tinderbox.runtime.overhead" . }}m
spark.executor.processTreeMetrics.enabled: true
spark.ui.prometheus.enabled: {{ .Values.monitoring.enabled }}
{{- if .Values.monitoring.enabled }}
{{- /* Without a constant here the names of metrics would hold the application's random one. */}}
spark.metrics.namespace: tinderbox
spark.metrics.conf.*.sink.prometheusServlet.class: org.apache.spark.metrics.sink.PrometheusServlet
spark.metrics.conf.*.sink.prometheusServlet.path: /metrics/prometheus
{{- /* Monitoring reaches the driver's page, and has nothing to end there. */}}
spark.ui.killEnabled: false
{{- end }}
{{- /* Spark counts refused pod creations as failures, quota or not; our own breaker counts dead executors. */}}
spark.executor.maxNumFailures: 100000
spark.tinderbox.breaker.failures: {{ $executor.maxFailures }}
spark.tinderbox.executor.startTimeout: {{ $executor.startTimeoutSeconds }}
spark.kubernetes.allocation.batch.delay: 10s
spark.kubernetes.allocation.maxPendingPods: {{ $executor.maxPending }}
{{- /* After an OOM, replacements would announce fewer cores than they have. */}}
spark.kubernetes.allocation.recoveryMode.enabled: false
{{- /* Executors on a dead node are given up after a minute. */}}
spark.network.timeout: 60s
{{- /* A slot runs wherever there is room. */}}
spark.locality.wait: 0s
spark.decommission.enabled: true
spark.storage.decommission.enabled: false
spark.kubernetes.decommission.script: /opt/tinderbox/decommission.sh
spark.kubernetes.container.image.pullPolicy: {{ .Values.image.pullPolicy }}
{{- with $executor.image }}
spark.kubernetes.container.image: {{ . }}
{{- end }}
spark.kubernetes.authenticate.executor.serviceAccountName: {{ include "tinderbox.fullname" . }}-executor
spark.kubernetes.executor.podTemplateFile: /etc/tinderbox/spark/executor.yaml
spark.kubernetes.executor.podTemplateContainerName: executor
{{- with $executor.cpuRequest }}
spark.kubernetes.executor.request.cores: {{ . }}
{{- end }}
{{- with $executor.cpuLimit }}
spark.kubernetes.executor.limit.cores: {{ . }}
{{- end }}
{{- /* The image lists NVIDIA's GPUs; slots divide what Spark knows of. */}}
{{- if and $executor.gpus (eq $executor.gpuResource "nvidia.com/gpu") }}
spark.executor.resource.gpu.amount: {{ $executor.gpus }}
spark.executor.resource.gpu.vendor: nvidia.com
spark.executor.resource.gpu.discoveryScript: /opt/tinderbox/gpus.sh
{{- end }}
spark.dynamicAllocation.enabled: {{ .Values.dynamicAllocation.enabled }}
{{- if .Values.dynamicAllocation.enabled }}
spark.dynamicAllocation.shuffleTracking.enabled: true
spark.dynamicAllocation.minExecutors: {{ .Values.dynamicAllocation.minExecutors }}
spark.dynamicAllocation.maxExecutors: {{ .Values.dynamicAllocation.maxExecutors }}
spark.dynamicAllocation.executorIdleTimeout: {{ .Values.dynamicAllocation.idleSeconds }}s
{{- end }}
spark.eventLog.enabled: {{ .Values.console.enabled }}
{{- if .Values.console.enabled }}
spark.eventLog.dir: {{ include "tinderbox.console.eventLog" . }}
spark.eventLog.rolling.maxFileSize: 16m
{{- end }}
{{- end }}

{{- /* What is left of an executor's memory for Python, in mebibytes. */}}
{{- define "tinderbox.runtime.overhead" -}}
{{- sub (include "tinderbox.mebibytes" .Values.executor.memory) (include "tinderbox.heap" .Values.executor.memory) }}
{{- end }}

{{- /* Settings that a value of ours, a job or a pod decides: setting them twice would hide one of them. */}}
{{- define "tinderbox.runtime.decided" -}}
spark.driver.memory: driver.memory
spark.executor.cores: executor.cores
spark.executor.memory: executor.memory
spark.executor.memoryOverhead: executor.memory
spark.executor.instances: slots of the job
spark.task.cpus: cores of the job
spark.executor.resource.gpu.amount: executor.gpus
spark.task.resource.gpu.amount: cores of the job
spark.kubernetes.container.image: executor.image
spark.kubernetes.container.image.pullPolicy: image.pullPolicy
spark.kubernetes.executor.request.cores: executor.cpuRequest
spark.kubernetes.executor.limit.cores: executor.cpuLimit
spark.kubernetes.allocation.maxPendingPods: executor.maxPending
spark.tinderbox.breaker.failures: executor.maxFailures
spark.tinderbox.executor.startTimeout: executor.startTimeoutSeconds
spark.dynamicAllocation.enabled: dynamicAllocation.enabled
spark.dynamicAllocation.minExecutors: dynamicAllocation.minExecutors
spark.dynamicAllocation.maxExecutors: dynamicAllocation.maxExecutors
spark.dynamicAllocation.executorIdleTimeout: dynamicAllocation.idleSeconds
spark.eventLog.enabled: console.enabled
spark.eventLog.dir: console.eventLog
spark.ui.prometheus.enabled: monitoring.enabled
spark.metrics.namespace: monitoring.enabled
{{- end }}
