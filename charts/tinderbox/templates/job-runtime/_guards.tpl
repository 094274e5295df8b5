{{- define "tinderbox.runtime.guards" -}}
{{- include "tinderbox.runtime.memoryGuards" . }}
{{- with .Values.dynamicAllocation }}
{{- if and .enabled (not .maxExecutors) }}
{{- fail "dynamicAllocation.enabled needs dynamicAllocation.maxExecutors, or a job whose executors die asks for ever more of them" }}
{{- end }}
{{- if and .enabled (gt (int .minExecutors) (int .maxExecutors)) }}
{{- fail (printf "dynamicAllocation.minExecutors must be at most dynamicAllocation.maxExecutors, got %v and %v" .minExecutors .maxExecutors) }}
{{- end }}
{{- end }}
{{- with .Values.executor }}
{{- if and .gpus (not .image) }}
{{- fail (printf "executor.gpus=%v needs executor.image, an image built with VARIANT=gpu: without it executors run the driver's image, which is made for CPUs" .gpus) }}
{{- end }}
{{- end }}
{{- $decided := include "tinderbox.runtime.decided" . | fromYaml }}
{{- range $key, $value := .Values.spark }}
{{- with get $decided $key }}
{{- fail (printf "spark sets %s, which is decided by %s: set that instead" $key .) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "tinderbox.runtime.memoryGuards" -}}
{{- $driver := .Values.driver.memory }}
{{- if lt (include "tinderbox.mebibytes" $driver | int) 1536 }}
{{- fail (printf "driver.memory must be at least 1536Mi, 512Mi for Java and 1Gi for Python, got %s" $driver) }}
{{- end }}
{{- with .Values.executor }}
{{- if gt (int .tasks) (int .cores) }}
{{- fail (printf "executor.tasks must be at most executor.cores, a core for each, got %v and %v" .tasks .cores) }}
{{- end }}
{{- $tasks := int (default .cores .tasks) }}
{{- if lt (include "tinderbox.runtime.overhead" $ | int) (mul $tasks 1024 | int) }}
{{- fail (printf "executor.memory=%s leaves %sMi beside Java's heap, and %d TensorFlow tasks need 1Gi each: give it more, or lower executor.cores or executor.tasks" .memory (include "tinderbox.runtime.overhead" $) $tasks) }}
{{- end }}
{{- end }}
{{- end }}
