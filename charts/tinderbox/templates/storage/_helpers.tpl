{{- /* The claim that holds the studies; empty where they are kept behind a URL. */}}
{{- define "tinderbox.storage.claim" -}}
{{- if not .Values.storage.url }}
{{- default (include "tinderbox.fullname" .) .Values.storage.existingClaim }}{{ if not .Values.storage.existingClaim }}-studies{{ end }}
{{- end }}
{{- end }}

{{- /* What TINDERBOX_STORAGE tells drivers. */}}
{{- define "tinderbox.storage.place" -}}
{{- default "/studies" .Values.storage.url }}
{{- end }}

{{- /* Pods that share the claim carry this label, so that they find each other's node. */}}
{{- define "tinderbox.storage.label" -}}
{{- with include "tinderbox.storage.claim" . -}}
tinderbox/studies: {{ . }}
{{- end }}
{{- end }}

{{- /* One node for all that share a ReadWriteOnce volume. The first one matches itself, so it may go anywhere. */}}
{{- define "tinderbox.storage.affinity" -}}
{{- if and (include "tinderbox.storage.claim" .) (ne .Values.storage.accessMode "ReadWriteMany") -}}
podAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    - topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels:
          {{- include "tinderbox.storage.label" . | nindent 10 }}
{{- end }}
{{- end }}

{{- define "tinderbox.storage.volume" -}}
{{- with include "tinderbox.storage.claim" . -}}
- name: studies
  persistentVolumeClaim:
    claimName: {{ . }}
{{- end }}
{{- end }}

{{- define "tinderbox.storage.guards" -}}
{{- with .Values.storage }}
{{- if and .url .existingClaim }}
{{- fail (printf "storage.url and storage.existingClaim cannot both keep the studies: leave one of them empty, got %q and %q" .url .existingClaim) }}
{{- end }}
{{- if and .credentialsSecret (not .url) }}
{{- fail (printf "storage.credentialsSecret is for storage.url, and there is none: set storage.url, or leave the Secret out, got %q" .credentialsSecret) }}
{{- end }}
{{- end }}
{{- end }}
