/// The fields of the built-in kinds, as data: what strict decoding, merging, `explain` and apply read.
enum BuiltInTypes {
    static let all: [String: BuiltInType] = TypeLanguage.parse(core).merging(TypeLanguage.parse(pods)) { $1 }
        .merging(TypeLanguage.parse(workloads)) { $1 }.merging(TypeLanguage.parse(other)) { $1 }

    /// The type of a kind; `nil` when only its metadata is known.
    static func type(of kind: String) -> SchemaType? { all[kind] == nil ? nil : .named(kind) }

    private static let core = """
        ObjectMeta: name s, generateName s, namespace s, selfLink s, uid s, resourceVersion s, generation i, creationTimestamp t, deletionTimestamp t, deletionGracePeriodSeconds i, labels {s}, annotations {s}, ownerReferences [OwnerReference]@uid, finalizers [s]@set, managedFields [any]
        OwnerReference: apiVersion s!, kind s!, name s!, uid s!, controller b, blockOwnerDeletion b
        LabelSelector: matchLabels {s}, matchExpressions [LabelSelectorRequirement]
        LabelSelectorRequirement: key s!, operator s!, values [s]
        LocalObjectReference: name s
        ObjectReference: kind s, namespace s, name s, uid s, apiVersion s, resourceVersion s, fieldPath s
        Condition: type s!, status s!, observedGeneration i, lastTransitionTime t, reason s, message s, lastProbeTime t, lastUpdateTime t, lastHeartbeatTime t
        ConfigMap: apiVersion s, kind s, metadata ObjectMeta, data {s}, binaryData {s}, immutable b
        Secret: apiVersion s, kind s, metadata ObjectMeta, data {s}, stringData {s}, type s, immutable b
        Namespace: apiVersion s, kind s, metadata ObjectMeta, spec NamespaceSpec, status NamespaceStatus
        NamespaceSpec: finalizers [s]
        NamespaceStatus: phase s, conditions [Condition]@type
        ServiceAccount: apiVersion s, kind s, metadata ObjectMeta, secrets [ObjectReference]@name, imagePullSecrets [LocalObjectReference], automountServiceAccountToken b
        Service: apiVersion s, kind s, metadata ObjectMeta, spec ServiceSpec, status ServiceStatus
        ServiceSpec: ports [ServicePort]@port|protocol, selector {s}, clusterIP s, clusterIPs [s], type s, externalIPs [s], sessionAffinity s, loadBalancerIP s, loadBalancerSourceRanges [s], externalName s, externalTrafficPolicy s, healthCheckNodePort i, publishNotReadyAddresses b, sessionAffinityConfig any, ipFamilies [s], ipFamilyPolicy s, allocateLoadBalancerNodePorts b, loadBalancerClass s, internalTrafficPolicy s, trafficDistribution s
        ServicePort: name s, protocol s, appProtocol s, port i!, targetPort x, nodePort i
        ServiceStatus: loadBalancer any, conditions [Condition]@type
        Endpoints: apiVersion s, kind s, metadata ObjectMeta, subsets [any]
        EndpointSlice: apiVersion s, kind s, metadata ObjectMeta, addressType s, endpoints [any], ports [any]
        Event: apiVersion s, kind s, metadata ObjectMeta, involvedObject ObjectReference, reason s, message s, source any, firstTimestamp t, lastTimestamp t, count i, type s, eventTime t, series any, action s, related ObjectReference, reportingComponent s, reportingInstance s, regarding ObjectReference, note s, reportingController s, deprecatedSource any, deprecatedFirstTimestamp t, deprecatedLastTimestamp t, deprecatedCount i
        Node: apiVersion s, kind s, metadata ObjectMeta, spec NodeSpec, status NodeStatus
        NodeSpec: podCIDR s, podCIDRs [s], providerID s, unschedulable b, taints [any], configSource any, externalID s
        NodeStatus: capacity {q}, allocatable {q}, phase s, conditions [Condition]@type, addresses [any], daemonEndpoints any, nodeInfo any, images [any], volumesInUse [s], volumesAttached [any], config any, runtimeHandlers [any], features any
        """

    private static let pods = """
        Pod: apiVersion s, kind s, metadata ObjectMeta, spec PodSpec, status PodStatus
        PodTemplate: apiVersion s, kind s, metadata ObjectMeta, template PodTemplateSpec
        PodTemplateSpec: metadata ObjectMeta, spec PodSpec
        PodSpec: volumes [Volume]@name, initContainers [Container]@name, containers [Container]@name, ephemeralContainers [any]@name, restartPolicy s, terminationGracePeriodSeconds i, activeDeadlineSeconds i, dnsPolicy s, nodeSelector {s}, serviceAccountName s, serviceAccount s, automountServiceAccountToken b, nodeName s, hostNetwork b, hostPID b, hostIPC b, shareProcessNamespace b, securityContext PodSecurityContext, imagePullSecrets [LocalObjectReference]@name, hostname s, subdomain s, affinity any, schedulerName s, tolerations [Toleration], hostAliases [HostAlias]@ip, priorityClassName s, priority i, dnsConfig any, readinessGates [any], runtimeClassName s, enableServiceLinks b, preemptionPolicy s, overhead {q}, topologySpreadConstraints [any]@topologyKey|whenUnsatisfiable, setHostnameAsFQDN b, os any, hostUsers b, schedulingGates [any]@name, resourceClaims [any]@name, resources ResourceRequirements
        HostAlias: ip s!, hostnames [s]
        Toleration: key s, operator s, value s, effect s, tolerationSeconds i
        PodSecurityContext: seLinuxOptions any, windowsOptions any, runAsUser i, runAsGroup i, runAsNonRoot b, supplementalGroups [i], supplementalGroupsPolicy s, fsGroup i, sysctls [any], fsGroupChangePolicy s, seccompProfile any, appArmorProfile any, seLinuxChangePolicy s
        Container: name s!, image s, command [s], args [s], workingDir s, ports [ContainerPort]@containerPort|protocol, envFrom [EnvFromSource], env [EnvVar]@name, resources ResourceRequirements, resizePolicy [any], restartPolicy s, volumeMounts [VolumeMount]@mountPath, volumeDevices [any]@devicePath, livenessProbe Probe, readinessProbe Probe, startupProbe Probe, lifecycle Lifecycle, terminationMessagePath s, terminationMessagePolicy s, imagePullPolicy s, securityContext SecurityContext, stdin b, stdinOnce b, tty b
        ContainerPort: name s, hostPort i, containerPort i!, protocol s, hostIP s
        EnvFromSource: prefix s, configMapRef EnvSourceReference, secretRef EnvSourceReference
        EnvSourceReference: name s, optional b
        EnvVar: name s!, value s, valueFrom EnvVarSource
        EnvVarSource: fieldRef ObjectFieldSelector, resourceFieldRef ResourceFieldSelector, configMapKeyRef KeySelector, secretKeyRef KeySelector
        ObjectFieldSelector: apiVersion s, fieldPath s!
        ResourceFieldSelector: containerName s, resource s!, divisor q
        KeySelector: name s, key s!, optional b
        ResourceRequirements: limits {q}, requests {q}, claims [any]@name
        VolumeMount: name s!, readOnly b, recursiveReadOnly s, mountPath s!, subPath s, mountPropagation s, subPathExpr s
        Probe: exec ExecAction, httpGet HTTPGetAction, tcpSocket TCPSocketAction, grpc GRPCAction, initialDelaySeconds i, timeoutSeconds i, periodSeconds i, successThreshold i, failureThreshold i, terminationGracePeriodSeconds i
        ExecAction: command [s]
        HTTPGetAction: path s, port x!, host s, scheme s, httpHeaders [HTTPHeader]
        HTTPHeader: name s!, value s!
        TCPSocketAction: port x!, host s
        GRPCAction: port i!, service s
        Lifecycle: postStart LifecycleHandler, preStop LifecycleHandler, stopSignal s
        LifecycleHandler: exec ExecAction, httpGet HTTPGetAction, tcpSocket TCPSocketAction, sleep SleepAction
        SleepAction: seconds i!
        SecurityContext: capabilities Capabilities, privileged b, seLinuxOptions any, windowsOptions any, runAsUser i, runAsGroup i, runAsNonRoot b, readOnlyRootFilesystem b, allowPrivilegeEscalation b, procMount s, seccompProfile any, appArmorProfile any
        Capabilities: add [s], drop [s]
        Volume: name s!, hostPath any, emptyDir EmptyDirVolume, gcePersistentDisk any, awsElasticBlockStore any, gitRepo any, secret SecretVolume, nfs any, iscsi any, glusterfs any, persistentVolumeClaim any, rbd any, flexVolume any, cinder any, cephfs any, flocker any, downwardAPI DownwardAPIVolume, fc any, azureFile any, configMap ConfigMapVolume, vsphereVolume any, quobyte any, azureDisk any, photonPersistentDisk any, projected ProjectedVolume, portworxVolume any, scaleIO any, storageos any, csi any, ephemeral any, image any
        EmptyDirVolume: medium s, sizeLimit q
        SecretVolume: secretName s, items [KeyToPath], defaultMode i, optional b
        ConfigMapVolume: name s, items [KeyToPath], defaultMode i, optional b
        KeyToPath: key s!, path s!, mode i
        DownwardAPIVolume: items [DownwardAPIFile], defaultMode i
        DownwardAPIFile: path s!, fieldRef ObjectFieldSelector, resourceFieldRef ResourceFieldSelector, mode i
        ProjectedVolume: sources [VolumeProjection], defaultMode i
        VolumeProjection: secret SecretProjection, downwardAPI DownwardAPIVolume, configMap SecretProjection, serviceAccountToken TokenProjection, clusterTrustBundle any
        SecretProjection: name s, items [KeyToPath], optional b
        TokenProjection: audience s, expirationSeconds i, path s!
        PodStatus: observedGeneration i, phase s, conditions [Condition]@type, message s, reason s, nominatedNodeName s, hostIP s, hostIPs [any], podIP s, podIPs [any]@ip, startTime t, initContainerStatuses [any], containerStatuses [any], qosClass s, ephemeralContainerStatuses [any], resize s, resourceClaimStatuses [any]
        """

    private static let workloads = """
        Deployment: apiVersion s, kind s, metadata ObjectMeta, spec DeploymentSpec, status DeploymentStatus
        DeploymentSpec: replicas i, selector LabelSelector!, template PodTemplateSpec!, strategy Strategy, minReadySeconds i, revisionHistoryLimit i, paused b, progressDeadlineSeconds i
        Strategy: type s, rollingUpdate RollingUpdate
        RollingUpdate: maxUnavailable x, maxSurge x, partition i
        DeploymentStatus: observedGeneration i, replicas i, updatedReplicas i, readyReplicas i, availableReplicas i, unavailableReplicas i, terminatingReplicas i, conditions [Condition]@type, collisionCount i
        ReplicaSet: apiVersion s, kind s, metadata ObjectMeta, spec ReplicaSetSpec, status ReplicaSetStatus
        ReplicaSetSpec: replicas i, minReadySeconds i, selector LabelSelector!, template PodTemplateSpec
        ReplicaSetStatus: replicas i, fullyLabeledReplicas i, readyReplicas i, availableReplicas i, terminatingReplicas i, observedGeneration i, conditions [Condition]@type
        ReplicationController: apiVersion s, kind s, metadata ObjectMeta, spec ReplicationControllerSpec, status ReplicaSetStatus
        ReplicationControllerSpec: replicas i, minReadySeconds i, selector {s}, template PodTemplateSpec
        DaemonSet: apiVersion s, kind s, metadata ObjectMeta, spec DaemonSetSpec, status any
        DaemonSetSpec: selector LabelSelector!, template PodTemplateSpec!, updateStrategy Strategy, minReadySeconds i, revisionHistoryLimit i
        StatefulSet: apiVersion s, kind s, metadata ObjectMeta, spec StatefulSetSpec, status any
        StatefulSetSpec: replicas i, selector LabelSelector!, template PodTemplateSpec!, volumeClaimTemplates [any], serviceName s, podManagementPolicy s, updateStrategy Strategy, revisionHistoryLimit i, minReadySeconds i, persistentVolumeClaimRetentionPolicy any, ordinals any
        ControllerRevision: apiVersion s, kind s, metadata ObjectMeta, data any, revision i
        Job: apiVersion s, kind s, metadata ObjectMeta, spec JobSpec, status any
        JobSpec: parallelism i, completions i, activeDeadlineSeconds i, podFailurePolicy any, successPolicy any, backoffLimit i, backoffLimitPerIndex i, maxFailedIndexes i, selector LabelSelector, manualSelector b, template PodTemplateSpec!, ttlSecondsAfterFinished i, completionMode s, suspend b, podReplacementPolicy s, managedBy s
        CronJob: apiVersion s, kind s, metadata ObjectMeta, spec CronJobSpec, status any
        CronJobSpec: schedule s!, timeZone s, startingDeadlineSeconds i, concurrencyPolicy s, suspend b, jobTemplate JobTemplateSpec!, successfulJobsHistoryLimit i, failedJobsHistoryLimit i
        JobTemplateSpec: metadata ObjectMeta, spec JobSpec
        HorizontalPodAutoscaler: apiVersion s, kind s, metadata ObjectMeta, spec HorizontalPodAutoscalerSpec, status any
        HorizontalPodAutoscalerSpec: scaleTargetRef any, minReplicas i, maxReplicas i!, metrics [any], behavior any
        PodDisruptionBudget: apiVersion s, kind s, metadata ObjectMeta, spec PodDisruptionBudgetSpec, status any
        PodDisruptionBudgetSpec: minAvailable x, maxUnavailable x, selector LabelSelector, unhealthyPodEvictionPolicy s
        """

    private static let other = """
        PersistentVolumeClaim: apiVersion s, kind s, metadata ObjectMeta, spec any, status any
        ResourceQuota: apiVersion s, kind s, metadata ObjectMeta, spec any, status any
        LimitRange: apiVersion s, kind s, metadata ObjectMeta, spec any
        Role: apiVersion s, kind s, metadata ObjectMeta, rules [PolicyRule]
        ClusterRole: apiVersion s, kind s, metadata ObjectMeta, rules [PolicyRule], aggregationRule any
        PolicyRule: verbs [s], apiGroups [s], resources [s], resourceNames [s], nonResourceURLs [s]
        RoleBinding: apiVersion s, kind s, metadata ObjectMeta, subjects [Subject], roleRef RoleRef!
        ClusterRoleBinding: apiVersion s, kind s, metadata ObjectMeta, subjects [Subject], roleRef RoleRef!
        Subject: kind s!, apiGroup s, name s!, namespace s
        RoleRef: apiGroup s, kind s!, name s!
        Lease: apiVersion s, kind s, metadata ObjectMeta, spec LeaseSpec
        LeaseSpec: holderIdentity s, leaseDurationSeconds i, acquireTime t, renewTime t, leaseTransitions i, strategy s, preferredHolder s
        MutatingWebhookConfiguration: apiVersion s, kind s, metadata ObjectMeta, webhooks [Webhook]@name
        ValidatingWebhookConfiguration: apiVersion s, kind s, metadata ObjectMeta, webhooks [Webhook]@name
        Webhook: name s!, clientConfig WebhookClientConfig, rules [WebhookRule], failurePolicy s, matchPolicy s, namespaceSelector LabelSelector, objectSelector LabelSelector, sideEffects s, timeoutSeconds i, admissionReviewVersions [s], reinvocationPolicy s, matchConditions [any]@name
        WebhookClientConfig: url s, service WebhookService, caBundle s
        WebhookService: namespace s!, name s!, path s, port i
        WebhookRule: operations [s], apiGroups [s], apiVersions [s], resources [s], scope s
        NetworkPolicy: apiVersion s, kind s, metadata ObjectMeta, spec NetworkPolicySpec
        NetworkPolicySpec: podSelector LabelSelector, ingress [any], egress [any], policyTypes [s]
        Ingress: apiVersion s, kind s, metadata ObjectMeta, spec IngressSpec, status any
        IngressSpec: ingressClassName s, defaultBackend any, tls [any], rules [any]
        IngressClass: apiVersion s, kind s, metadata ObjectMeta, spec any
        PriorityClass: apiVersion s, kind s, metadata ObjectMeta, value i, globalDefault b, description s, preemptionPolicy s
        StorageClass: apiVersion s, kind s, metadata ObjectMeta, provisioner s!, parameters {s}, reclaimPolicy s, mountOptions [s], allowVolumeExpansion b, volumeBindingMode s, allowedTopologies [any]
        CustomResourceDefinition: apiVersion s, kind s, metadata ObjectMeta, spec CustomResourceDefinitionSpec, status CustomResourceDefinitionStatus
        CustomResourceDefinitionSpec: group s!, names CustomResourceDefinitionNames!, scope s!, versions [CustomResourceDefinitionVersion], conversion any, preserveUnknownFields b
        CustomResourceDefinitionNames: plural s!, singular s, shortNames [s], kind s!, listKind s, categories [s]
        CustomResourceDefinitionVersion: name s!, served b!, storage b!, deprecated b, deprecationWarning s, schema any, subresources any, additionalPrinterColumns [any], selectableFields [any]
        CustomResourceDefinitionStatus: conditions [Condition]@type, acceptedNames any, storedVersions [s]
        APIService: apiVersion s, kind s, metadata ObjectMeta, spec any, status any
        """
}
