{{- /* The verbs that a driver of Spark 4.3 was seen to use, and no other. `helm test` asks for each of them. */}}
{{- define "tinderbox.runtime.rules" -}}
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, patch, delete, deletecollection]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create, deletecollection]
# Spark lists and deletes claims and Services when it stops, even where there are none.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [list, create, deletecollection]
- apiGroups: [""]
  resources: [services]
  verbs: [deletecollection]
{{- end }}
