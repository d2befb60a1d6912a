{{- define "ragline.name" -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- end }}
{{- define "ragline.labels" -}}
app.kubernetes.io/name: ragline
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}
{{- define "ragline.config" -}}
{{- $config := deepCopy .Values.serve.config }}
{{- range $step, $stage := .Values.stages }}{{- if $stage.enabled }}
{{- $name := printf "%s-%s" (include "ragline.name" $) $step }}
{{- $endpoints := list }}
{{- range $i := until (int $stage.replicas) }}{{- $endpoints = append $endpoints (printf "%s-%d.%s:%v" $name $i $name $stage.port) }}{{- end }}
{{- $_ := set $config $step (merge (dict "use" "grpc" "endpoints" $endpoints) $stage.caller) }}
{{- end }}{{- end }}
{{- toYaml $config }}
{{- end }}
{{- define "ragline.pod" -}}
metadata:
  labels: {{- include "ragline.labels" . | nindent 4 }}
  annotations: { checksum/config: {{ .config | sha256sum }} }
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: {{ .settings.terminationGracePeriodSeconds }}
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext: { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000, seccompProfile: { type: RuntimeDefault } }
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "ragline.labels" . | nindent 10 }}
  containers:
    - name: ragline
      image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}"
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: {{ .args | toJson }}
      ports:
        - { name: {{ .portName }}, containerPort: {{ .port }} }
        {{- with .probesPort }}
        - { name: probes, containerPort: {{ . }} }
        {{- end }}
      {{- with .root.Values.secretName }}
      envFrom: [{ secretRef: { name: {{ . }} } }]
      {{- end }}
      {{- .probes | nindent 6 }}
      {{- with .lifecycle }}
      lifecycle: {{- . | nindent 8 }}
      {{- end }}
      resources: {{- toYaml .settings.resources | nindent 8 }}
      securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
      volumeMounts:
        - { name: config, mountPath: /etc/ragline-chart, readOnly: true }
        - { name: data, mountPath: /data }
        - { name: tmp, mountPath: /tmp }
  volumes:
    - { name: config, configMap: { name: {{ include "ragline.name" .root }}-{{ .part }} } }
    - { name: data, emptyDir: {} }
    - { name: tmp, emptyDir: {} }
{{- end }}
