{{- /* log4j2.properties of drivers and executors. */}}
{{- define "tinderbox.runtime.logging" -}}
# Spark tells our users what it cannot do, not what it does.
rootLogger.level = {{ .Values.logLevel }}
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss} spark %p %c{1}: %m%n%ex{short}

# Spark announces that it sets this logger's level, unless it has the root's already.
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = {{ .Values.logLevel }}

# A refused executor, as by a quota, is some 66 lines here each time; Tinderbox asks why and says it once.
logger.allocator.name = org.apache.spark.scheduler.cluster.k8s.ExecutorPodsAllocator
logger.allocator.level = off
logger.snapshots.name = org.apache.spark.scheduler.cluster.k8s.ExecutorPodsSnapshotsStoreImpl
logger.snapshots.level = off

# An executor that goes while it is asked something, as at the end, says so here; Tinderbox tells which one was lost.
logger.responses.name = org.apache.spark.network.client.TransportResponseHandler
logger.responses.level = off
{{- end }}
