/// Field numbers of the messages that Kubernetes' clients send, as data: what ``ProtobufDecoder`` reads.
enum ProtobufTypes {
    static let all: [String: ProtobufType] = [meta, core, pods, volumes, apps, policies].reduce(into: [:]) {
        all, text in
        all.merge(ProtobufLanguage.messages(text)) { $1 }
    }

    /// The message of a kind, by API version; `DeleteOptions` come in any version.
    static let kinds: [String: [String: String]] = ProtobufLanguage.kinds(roots)

    static func message(apiVersion: String, kind: String) -> String? {
        kind == "DeleteOptions" ? kind : kinds[apiVersion]?[kind]
    }

    private static let roots = """
        v1: Namespace, ConfigMap, Secret, ServiceAccount, Service, Pod, PodTemplate, Binding, Node, Endpoints, Event, PersistentVolumeClaim, PersistentVolume, LimitRange, ResourceQuota, ReplicationController
        apps/v1: Deployment, ReplicaSet, DaemonSet, StatefulSet, ControllerRevision
        batch/v1: Job, CronJob
        authentication.k8s.io/v1: TokenRequest, TokenReview, SelfSubjectReview
        authorization.k8s.io/v1: SelfSubjectAccessReview, SubjectAccessReview, LocalSubjectAccessReview, SelfSubjectRulesReview
        autoscaling/v1: Scale
        autoscaling/v2: HorizontalPodAutoscaler
        policy/v1: Eviction, PodDisruptionBudget
        rbac.authorization.k8s.io/v1: Role, RoleBinding, ClusterRole, ClusterRoleBinding
        coordination.k8s.io/v1: Lease
        discovery.k8s.io/v1: EndpointSlice
        events.k8s.io/v1: Event=events.Event
        networking.k8s.io/v1: Ingress, IngressClass, NetworkPolicy
        scheduling.k8s.io/v1: PriorityClass
        storage.k8s.io/v1: StorageClass
        admissionregistration.k8s.io/v1: MutatingWebhookConfiguration, ValidatingWebhookConfiguration
        """

    static let meta = """
        DeleteOptions: 1 gracePeriodSeconds i?, 2 preconditions Preconditions, 3 orphanDependents b?, 4 propagationPolicy s, 5 dryRun [s], 6 ignoreStoreReadErrorWithClusterBreakingPotential b?
        ObjectMeta: 1 name s, 2 generateName s, 3 namespace s, 4 selfLink s, 5 uid s, 6 resourceVersion s, 7 generation i, 8 creationTimestamp t, 9 deletionTimestamp t, 10 deletionGracePeriodSeconds i?, 11 labels {s}, 12 annotations {s}, 13 ownerReferences [OwnerReference], 14 finalizers [s], 17 managedFields [ManagedFieldsEntry]
        Preconditions: 1 uid s, 2 resourceVersion s
        OwnerReference: 1 kind s, 3 name s, 4 uid s, 5 apiVersion s, 6 controller b?, 7 blockOwnerDeletion b?
        ManagedFieldsEntry: 1 manager s, 2 operation s, 3 apiVersion s, 4 time t, 6 fieldsType s, 7 fieldsV1 raw, 8 subresource s
        Condition: 1 type s, 2 status s, 3 observedGeneration i, 4 lastTransitionTime t, 5 reason s, 6 message s
        LabelSelector: 1 matchLabels {s}, 2 matchExpressions [LabelSelectorRequirement]
        LabelSelectorRequirement: 1 key s, 2 operator s, 3 values [s]
        FieldSelectorRequirement: 1 key s, 2 operator s, 3 values [s]
        """

    static let apps = """
        Deployment: 1 metadata ObjectMeta, 2 spec DeploymentSpec, 3 status DeploymentStatus
        ReplicaSet: 1 metadata ObjectMeta, 2 spec ReplicaSetSpec, 3 status ReplicaSetStatus
        DaemonSet: 1 metadata ObjectMeta, 2 spec DaemonSetSpec, 3 status DaemonSetStatus
        StatefulSet: 1 metadata ObjectMeta, 2 spec StatefulSetSpec, 3 status StatefulSetStatus
        ControllerRevision: 1 metadata ObjectMeta, 2 data raw, 3 revision i
        DeploymentSpec: 1 replicas i?, 2 selector LabelSelector, 3 template PodTemplateSpec, 4 strategy DeploymentStrategy, 5 minReadySeconds i, 6 revisionHistoryLimit i?, 7 paused b, 9 progressDeadlineSeconds i?
        DeploymentStatus: 1 observedGeneration i, 2 replicas i?, 3 updatedReplicas i, 4 availableReplicas i, 5 unavailableReplicas i, 6 conditions [DeploymentCondition], 7 readyReplicas i, 8 collisionCount i?
        ReplicaSetSpec: 1 replicas i?, 2 selector LabelSelector, 3 template PodTemplateSpec, 4 minReadySeconds i
        ReplicaSetStatus: 1 replicas i?, 2 fullyLabeledReplicas i, 3 observedGeneration i, 4 readyReplicas i, 5 availableReplicas i, 6 conditions [ReplicaSetCondition]
        DaemonSetSpec: 1 selector LabelSelector, 2 template PodTemplateSpec, 3 updateStrategy DaemonSetUpdateStrategy, 4 minReadySeconds i, 6 revisionHistoryLimit i?
        DaemonSetStatus: 1 currentNumberScheduled i, 2 numberMisscheduled i, 3 desiredNumberScheduled i, 4 numberReady i, 5 observedGeneration i, 6 updatedNumberScheduled i, 7 numberAvailable i, 8 numberUnavailable i, 9 collisionCount i?, 10 conditions [DaemonSetCondition]
        StatefulSetSpec: 1 replicas i?, 2 selector LabelSelector, 3 template PodTemplateSpec, 4 volumeClaimTemplates [PersistentVolumeClaim], 5 serviceName s, 6 podManagementPolicy s, 7 updateStrategy StatefulSetUpdateStrategy, 8 revisionHistoryLimit i?, 9 minReadySeconds i, 10 persistentVolumeClaimRetentionPolicy StatefulSetPersistentVolumeClaimRetentionPolicy, 11 ordinals StatefulSetOrdinals
        StatefulSetStatus: 1 observedGeneration i, 2 replicas i?, 3 readyReplicas i, 4 currentReplicas i, 5 updatedReplicas i, 6 currentRevision s, 7 updateRevision s, 9 collisionCount i?, 10 conditions [StatefulSetCondition], 11 availableReplicas i
        DeploymentStrategy: 1 type s, 2 rollingUpdate RollingUpdateDeployment
        DeploymentCondition: 1 type s, 2 status s, 4 reason s, 5 message s, 6 lastUpdateTime t, 7 lastTransitionTime t
        ReplicaSetCondition: 1 type s, 2 status s, 3 lastTransitionTime t, 4 reason s, 5 message s
        DaemonSetUpdateStrategy: 1 type s, 2 rollingUpdate RollingUpdateDaemonSet
        DaemonSetCondition: 1 type s, 2 status s, 3 lastTransitionTime t, 4 reason s, 5 message s
        StatefulSetUpdateStrategy: 1 type s, 2 rollingUpdate RollingUpdateStatefulSetStrategy
        StatefulSetPersistentVolumeClaimRetentionPolicy: 1 whenDeleted s, 2 whenScaled s
        StatefulSetOrdinals: 1 start i
        StatefulSetCondition: 1 type s, 2 status s, 3 lastTransitionTime t, 4 reason s, 5 message s
        RollingUpdateDeployment: 1 maxUnavailable x, 2 maxSurge x
        RollingUpdateDaemonSet: 1 maxUnavailable x, 2 maxSurge x
        RollingUpdateStatefulSetStrategy: 1 partition i?, 2 maxUnavailable x
        Job: 1 metadata ObjectMeta, 2 spec JobSpec, 3 status JobStatus
        CronJob: 1 metadata ObjectMeta, 2 spec CronJobSpec, 3 status CronJobStatus
        JobSpec: 1 parallelism i?, 2 completions i?, 3 activeDeadlineSeconds i?, 4 selector LabelSelector, 5 manualSelector b?, 6 template PodTemplateSpec, 7 backoffLimit i?, 8 ttlSecondsAfterFinished i?, 9 completionMode s, 10 suspend b?, 11 podFailurePolicy PodFailurePolicy, 12 backoffLimitPerIndex i?, 13 maxFailedIndexes i?, 14 podReplacementPolicy s, 15 managedBy s, 16 successPolicy SuccessPolicy
        JobStatus: 1 conditions [JobCondition], 2 startTime t, 3 completionTime t, 4 active i, 5 succeeded i, 6 failed i, 7 completedIndexes s, 8 uncountedTerminatedPods UncountedTerminatedPods, 9 ready i?, 10 failedIndexes s, 11 terminating i?
        CronJobSpec: 1 schedule s, 2 startingDeadlineSeconds i?, 3 concurrencyPolicy s, 4 suspend b?, 5 jobTemplate JobTemplateSpec, 6 successfulJobsHistoryLimit i?, 7 failedJobsHistoryLimit i?, 8 timeZone s
        CronJobStatus: 1 active [ObjectReference], 4 lastScheduleTime t, 5 lastSuccessfulTime t
        PodFailurePolicy: 1 rules [PodFailurePolicyRule]
        SuccessPolicy: 1 rules [SuccessPolicyRule]
        JobCondition: 1 type s, 2 status s, 3 lastProbeTime t, 4 lastTransitionTime t, 5 reason s, 6 message s
        UncountedTerminatedPods: 1 succeeded [s], 2 failed [s]
        JobTemplateSpec: 1 metadata ObjectMeta, 2 spec JobSpec
        PodFailurePolicyRule: 1 action s, 2 onExitCodes PodFailurePolicyOnExitCodesRequirement, 3 onPodConditions [PodFailurePolicyOnPodConditionsPattern]
        SuccessPolicyRule: 1 succeededIndexes s, 2 succeededCount i
        PodFailurePolicyOnExitCodesRequirement: 1 containerName s, 2 operator s, 3 values [i]
        PodFailurePolicyOnPodConditionsPattern: 1 type s, 2 status s
        Scale: 1 metadata ObjectMeta, 2 spec ScaleSpec, 3 status ScaleStatus
        HorizontalPodAutoscaler: 1 metadata ObjectMeta, 2 spec HorizontalPodAutoscalerSpec, 3 status HorizontalPodAutoscalerStatus
        ScaleSpec: 1 replicas i?
        ScaleStatus: 1 replicas i?, 2 selector s
        HorizontalPodAutoscalerSpec: 1 scaleTargetRef CrossVersionObjectReference, 2 minReplicas i?, 3 maxReplicas i, 4 metrics [MetricSpec], 5 behavior HorizontalPodAutoscalerBehavior
        HorizontalPodAutoscalerStatus: 1 observedGeneration i, 2 lastScaleTime t, 3 currentReplicas i, 4 desiredReplicas i, 5 currentMetrics [MetricStatus], 6 conditions [HorizontalPodAutoscalerCondition]
        CrossVersionObjectReference: 1 kind s, 2 name s, 3 apiVersion s
        MetricSpec: 1 type s, 2 object ObjectMetricSource, 3 pods PodsMetricSource, 4 resource ResourceMetricSource, 5 external ExternalMetricSource, 7 containerResource ContainerResourceMetricSource
        HorizontalPodAutoscalerBehavior: 1 scaleUp HPAScalingRules, 2 scaleDown HPAScalingRules
        MetricStatus: 1 type s, 2 object ObjectMetricStatus, 3 pods PodsMetricStatus, 4 resource ResourceMetricStatus, 5 external ExternalMetricStatus, 7 containerResource ContainerResourceMetricStatus
        HorizontalPodAutoscalerCondition: 1 type s, 2 status s, 3 lastTransitionTime t, 4 reason s, 5 message s
        ObjectMetricSource: 1 describedObject CrossVersionObjectReference, 2 target MetricTarget, 3 metric MetricIdentifier
        PodsMetricSource: 1 metric MetricIdentifier, 2 target MetricTarget
        ResourceMetricSource: 1 name s, 2 target MetricTarget
        ExternalMetricSource: 1 metric MetricIdentifier, 2 target MetricTarget
        ContainerResourceMetricSource: 1 name s, 2 target MetricTarget, 3 container s
        HPAScalingRules: 1 selectPolicy s?, 2 policies [HPAScalingPolicy], 3 stabilizationWindowSeconds i?
        ObjectMetricStatus: 1 metric MetricIdentifier, 2 current MetricValueStatus, 3 describedObject CrossVersionObjectReference
        PodsMetricStatus: 1 metric MetricIdentifier, 2 current MetricValueStatus
        ResourceMetricStatus: 1 name s, 2 current MetricValueStatus
        ExternalMetricStatus: 1 metric MetricIdentifier, 2 current MetricValueStatus
        ContainerResourceMetricStatus: 1 name s, 2 current MetricValueStatus, 3 container s
        MetricTarget: 1 type s, 2 value q, 3 averageValue q, 4 averageUtilization i?
        MetricIdentifier: 1 name s, 2 selector LabelSelector
        HPAScalingPolicy: 1 type s, 2 value i?, 3 periodSeconds i
        MetricValueStatus: 1 value q, 2 averageValue q, 3 averageUtilization i?
        Eviction: 1 metadata ObjectMeta, 2 deleteOptions DeleteOptions
        PodDisruptionBudget: 1 metadata ObjectMeta, 2 spec PodDisruptionBudgetSpec, 3 status PodDisruptionBudgetStatus
        PodDisruptionBudgetSpec: 1 minAvailable x, 2 selector LabelSelector, 3 maxUnavailable x, 4 unhealthyPodEvictionPolicy s
        PodDisruptionBudgetStatus: 1 observedGeneration i, 2 disruptedPods {t}, 3 disruptionsAllowed i?, 4 currentHealthy i?, 5 desiredHealthy i?, 6 expectedPods i?, 7 conditions [Condition]
        """

    static let policies = """
        TokenRequest: 1 metadata ObjectMeta, 2 spec TokenRequestSpec, 3 status TokenRequestStatus
        TokenReview: 1 metadata ObjectMeta, 2 spec TokenReviewSpec, 3 status TokenReviewStatus
        SelfSubjectReview: 1 metadata ObjectMeta, 2 status SelfSubjectReviewStatus
        TokenRequestSpec: 1 audiences [s], 3 boundObjectRef BoundObjectReference, 4 expirationSeconds i?
        TokenRequestStatus: 1 token s, 2 expirationTimestamp t
        TokenReviewSpec: 1 token s, 2 audiences [s]
        TokenReviewStatus: 1 authenticated b, 2 user UserInfo, 3 error s, 4 audiences [s]
        SelfSubjectReviewStatus: 1 userInfo UserInfo
        BoundObjectReference: 1 kind s, 2 apiVersion s, 3 name s, 4 uID s
        UserInfo: 1 username s, 2 uid s, 3 groups [s], 4 extra {items}
        SelfSubjectAccessReview: 1 metadata ObjectMeta, 2 spec SelfSubjectAccessReviewSpec, 3 status SubjectAccessReviewStatus
        SubjectAccessReview: 1 metadata ObjectMeta, 2 spec SubjectAccessReviewSpec, 3 status SubjectAccessReviewStatus
        LocalSubjectAccessReview: 1 metadata ObjectMeta, 2 spec SubjectAccessReviewSpec, 3 status SubjectAccessReviewStatus
        SelfSubjectRulesReview: 1 metadata ObjectMeta, 2 spec SelfSubjectRulesReviewSpec, 3 status SubjectRulesReviewStatus
        SelfSubjectAccessReviewSpec: 1 resourceAttributes ResourceAttributes, 2 nonResourceAttributes NonResourceAttributes
        SubjectAccessReviewStatus: 1 allowed b?, 2 reason s, 3 evaluationError s, 4 denied b
        SubjectAccessReviewSpec: 1 resourceAttributes ResourceAttributes, 2 nonResourceAttributes NonResourceAttributes, 3 user s, 4 groups [s], 5 extra {items}, 6 uid s
        SelfSubjectRulesReviewSpec: 1 namespace s
        SubjectRulesReviewStatus: 1 resourceRules [ResourceRule], 2 nonResourceRules [NonResourceRule], 3 incomplete b, 4 evaluationError s
        ResourceAttributes: 1 namespace s, 2 verb s, 3 group s, 4 version s, 5 resource s, 6 subresource s, 7 name s, 8 fieldSelector FieldSelectorAttributes, 9 labelSelector LabelSelectorAttributes
        NonResourceAttributes: 1 path s, 2 verb s
        ResourceRule: 1 verbs [s], 2 apiGroups [s], 3 resources [s], 4 resourceNames [s]
        NonResourceRule: 1 verbs [s], 2 nonResourceURLs [s]
        FieldSelectorAttributes: 1 rawSelector s, 2 requirements [FieldSelectorRequirement]
        LabelSelectorAttributes: 1 rawSelector s, 2 requirements [LabelSelectorRequirement]
        Role: 1 metadata ObjectMeta, 2 rules [PolicyRule]
        RoleBinding: 1 metadata ObjectMeta, 2 subjects [Subject], 3 roleRef RoleRef
        ClusterRole: 1 metadata ObjectMeta, 2 rules [PolicyRule], 3 aggregationRule AggregationRule
        ClusterRoleBinding: 1 metadata ObjectMeta, 2 subjects [Subject], 3 roleRef RoleRef
        PolicyRule: 1 verbs [s], 2 apiGroups [s], 3 resources [s], 4 resourceNames [s], 5 nonResourceURLs [s]
        Subject: 1 kind s, 2 apiGroup s, 3 name s, 4 namespace s
        RoleRef: 1 apiGroup s, 2 kind s, 3 name s
        AggregationRule: 1 clusterRoleSelectors [LabelSelector]
        Lease: 1 metadata ObjectMeta, 2 spec LeaseSpec
        LeaseSpec: 1 holderIdentity s, 2 leaseDurationSeconds i?, 3 acquireTime u, 4 renewTime u, 5 leaseTransitions i?, 6 strategy s, 7 preferredHolder s
        EndpointSlice: 1 metadata ObjectMeta, 2 endpoints [Endpoint], 3 ports [EndpointPort], 4 addressType s
        Endpoint: 1 addresses [s], 2 conditions EndpointConditions, 3 hostname s, 4 targetRef ObjectReference, 5 deprecatedTopology {s}, 6 nodeName s, 7 zone s, 8 hints EndpointHints
        EndpointPort: 1 name s, 2 protocol s, 3 port i, 4 appProtocol s
        EndpointConditions: 1 ready b?, 2 serving b?, 3 terminating b?
        EndpointHints: 1 forZones [ForZone]
        ForZone: 1 name s
        events.Event: 1 metadata ObjectMeta, 2 eventTime u, 3 series events.EventSeries, 4 reportingController s, 5 reportingInstance s, 6 action s, 7 reason s, 8 regarding ObjectReference, 9 related ObjectReference, 10 note s, 11 type s, 12 deprecatedSource EventSource, 13 deprecatedFirstTimestamp t, 14 deprecatedLastTimestamp t, 15 deprecatedCount i
        events.EventSeries: 1 count i, 2 lastObservedTime u
        Ingress: 1 metadata ObjectMeta, 2 spec IngressSpec, 3 status IngressStatus
        IngressClass: 1 metadata ObjectMeta, 2 spec IngressClassSpec
        NetworkPolicy: 1 metadata ObjectMeta, 2 spec NetworkPolicySpec
        IngressSpec: 1 defaultBackend IngressBackend, 2 tls [IngressTLS], 3 rules [IngressRule], 4 ingressClassName s
        IngressStatus: 1 loadBalancer IngressLoadBalancerStatus
        IngressClassSpec: 1 controller s?, 2 parameters IngressClassParametersReference
        NetworkPolicySpec: 1 podSelector LabelSelector, 2 ingress [NetworkPolicyIngressRule], 3 egress [NetworkPolicyEgressRule], 4 policyTypes [s]
        IngressBackend: 3 resource TypedLocalObjectReference, 4 service IngressServiceBackend
        IngressTLS: 1 hosts [s], 2 secretName s
        IngressRule: 1 host s, 2 ingressRuleValue IngressRuleValue
        IngressLoadBalancerStatus: 1 ingress [IngressLoadBalancerIngress]
        IngressClassParametersReference: 1 aPIGroup s, 2 kind s, 3 name s, 4 scope s, 5 namespace s
        NetworkPolicyIngressRule: 1 ports [NetworkPolicyPort], 2 from [NetworkPolicyPeer]
        NetworkPolicyEgressRule: 1 ports [NetworkPolicyPort], 2 to [NetworkPolicyPeer]
        IngressServiceBackend: 1 name s, 2 port ServiceBackendPort
        IngressRuleValue: 1 http HTTPIngressRuleValue
        IngressLoadBalancerIngress: 1 ip s, 2 hostname s, 4 ports [IngressPortStatus]
        NetworkPolicyPort: 1 protocol s, 2 port x, 3 endPort i
        NetworkPolicyPeer: 1 podSelector LabelSelector, 2 namespaceSelector LabelSelector, 3 ipBlock IPBlock
        ServiceBackendPort: 1 name s, 2 number i
        HTTPIngressRuleValue: 1 paths [HTTPIngressPath]
        IngressPortStatus: 1 port i, 2 protocol s, 3 error s
        IPBlock: 1 cidr s, 2 except [s]
        HTTPIngressPath: 1 path s, 2 backend IngressBackend, 3 pathType s
        PriorityClass: 1 metadata ObjectMeta, 2 value i?, 3 globalDefault b, 4 description s, 5 preemptionPolicy s
        StorageClass: 1 metadata ObjectMeta, 2 provisioner s, 3 parameters {s}, 4 reclaimPolicy s, 5 mountOptions [s], 6 allowVolumeExpansion b?, 7 volumeBindingMode s, 8 allowedTopologies [TopologySelectorTerm]
        MutatingWebhookConfiguration: 1 metadata ObjectMeta, 2 Webhooks [MutatingWebhook]
        ValidatingWebhookConfiguration: 1 metadata ObjectMeta, 2 Webhooks [ValidatingWebhook]
        MutatingWebhook: 1 name s, 2 clientConfig WebhookClientConfig, 3 rules [RuleWithOperations], 4 failurePolicy s, 5 namespaceSelector LabelSelector, 6 sideEffects s, 7 timeoutSeconds i?, 8 admissionReviewVersions [s], 9 matchPolicy s, 10 reinvocationPolicy s, 11 objectSelector LabelSelector, 12 matchConditions [MatchCondition]
        ValidatingWebhook: 1 name s, 2 clientConfig WebhookClientConfig, 3 rules [RuleWithOperations], 4 failurePolicy s, 5 namespaceSelector LabelSelector, 6 sideEffects s, 7 timeoutSeconds i?, 8 admissionReviewVersions [s], 9 matchPolicy s, 10 objectSelector LabelSelector, 11 matchConditions [MatchCondition]
        WebhookClientConfig: 1 service ServiceReference, 2 caBundle y, 3 url s
        RuleWithOperations: 1 operations [s], 2 rule ~Rule
        MatchCondition: 1 name s, 2 expression s
        ServiceReference: 1 namespace s, 2 name s, 3 path s, 4 port i
        Rule: 1 apiGroups [s], 2 apiVersions [s], 3 resources [s], 4 scope s
        """
}
