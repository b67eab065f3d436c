package natsbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"apollo/events"
)

// class is what an error of the server or of its client means for whoever
// asked. This file is the one place that knows.
type class int

const (
	// refused: the same question gets the same answer. It is a mistake of ours
	// or of the server's set-up, and ends what asked.
	refused class = iota
	// passing: the server cannot answer now, or is still at it. Nothing is known
	// about what was stored: the same question is put again.
	passing
	// disabled: there is no JetStream. Someone has to switch it on, or it is
	// about to start or to stop; the question is put again.
	disabled
	// full: nothing was stored for want of room.
	full
	// fenced: an expected last sequence does not hold, or may not hold any more
	// because another message is on its way.
	fenced
	// oversized: the message is larger than the stream takes.
	oversized
	// absent: what was asked for is not there.
	absent
	// denied: permissions forbid it.
	denied
	// closed: this bus has no connection any more and gets no other.
	closed
)

// retried reports whether the same question may be put again.
func (c class) retried() bool { return c == passing || c == disabled }

// classOf returns the class of one of the server's error codes; known is false
// for a code that the server of go.mod does not have.
func classOf(code jetstream.ErrorCode) (c class, known bool) {
	switch server.ErrorIdentifier(code) {
	case // The cluster elects, recovers, moves or loses somebody.
		server.JSClusterNotAvailErr, server.JSClusterNotLeaderErr, server.JSClusterNotAssignedErr, server.JSClusterIncompleteErr,
		server.JSClusterNoPeersErrF, server.JSClusterServerMemberChangeInflightErr, server.JSPeerRemapErr, server.JSRaftGeneralErrF,
		server.JSNoAccountErr, server.JSStreamOfflineErr, server.JSStreamOfflineReasonErrF, server.JSConsumerOfflineErr,
		server.JSConsumerOfflineReasonErrF, server.JSStreamMoveInProgressErr, server.JSStreamReconfigureInProgressErr:
		return passing, true
	case // An earlier message is on its way, a replica lags, too much is asked at once.
		server.JSStreamDuplicateMessageConflict, server.JSStreamExpectedLastSeqPerSubjectNotReady, server.JSStreamMinLastSeqErr,
		server.JSStreamTooManyRequests, server.JSAtomicPublishTooManyInflight, server.JSBatchPublishTooManyInflight,
		// Readers that are gone are forgotten after a while.
		server.JSMaximumConsumersLimitErr,
		// Another process makes the same stream at this moment.
		server.JSStreamNameExistErr:
		return passing, true
	case // Something inside the server failed, most often because it shuts down.
		server.JSStreamInvalidErr, server.JSStreamAssignmentErrF, server.JSStreamCreateErrF, server.JSStreamUpdateErrF,
		server.JSStreamDeleteErrF, server.JSStreamGeneralErrorF, server.JSStreamMsgDeleteFailedF, server.JSStreamPurgeFailedF,
		server.JSConsumerCreateErrF, server.JSConsumerStoreFailedErrF,
		// Its text tells more: see classify.
		server.JSStreamStoreFailedF:
		return passing, true
	case server.JSNotEnabledErr, server.JSNotEnabledForAccountErr:
		return disabled, true
	case server.JSStorageResourcesExceededErr, server.JSMemoryResourcesExceededErr, server.JSInsufficientResourcesErr,
		server.JSAccountResourcesExceededErr:
		return full, true
	case server.JSStreamWrongLastSequenceErrF, server.JSStreamWrongLastSequenceConstantErr:
		return fenced, true
	case server.JSStreamMessageExceedsMaximumErr, server.JSStreamHeaderExceedsMaximumErr:
		return oversized, true
	case server.JSStreamNotFoundErr, server.JSConsumerNotFoundErr, server.JSConsumerDoesNotExist, server.JSNoMessageFoundErr,
		server.JSSequenceNotFoundErrF:
		return absent, true
	}
	return refused, isRefusal(server.ErrorIdentifier(code))
}

// classify returns the class of an error of the server or of its client.
func classify(err error) class {
	if errors.Is(err, events.ErrDenied) || errors.Is(err, nats.ErrPermissionViolation) {
		return denied
	}
	for _, known := range []error{nats.ErrConnectionClosed, jetstream.ErrConnectionClosed, errClosed} {
		if errors.Is(err, known) {
			return closed
		}
	}
	if errors.Is(err, nats.ErrMaxPayload) {
		return oversized
	}
	if interrupted(err) {
		return passing
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return classifyAnswer(api)
	}
	if consumerLost(err) {
		return passing
	}
	return refused
}

// classifyAnswer returns the class of an answer of the server.
func classifyAnswer(api *jetstream.APIError) class {
	if server.ErrorIdentifier(api.ErrorCode) == server.JSStreamStoreFailedF {
		for _, limit := range []error{server.ErrMaxBytes, server.ErrMaxMsgs, server.ErrMaxMsgsPerSubject} {
			if strings.Contains(api.Description, limit.Error()) {
				return full
			}
		}
		if strings.Contains(api.Description, server.ErrMsgTooLarge.Error()) {
			return oversized
		}
		return passing // a store that is closed, or a disk that fails
	}
	c, known := classOf(api.ErrorCode)
	const firstServerError, tooMany = 500, 429 // as in HTTP, which the server's table follows
	if !known && (api.Code >= firstServerError || api.Code == tooMany) {
		return passing // of a later server
	}
	return c
}

// interrupted reports whether err says nothing but that no answer came.
func interrupted(err error) bool {
	for _, known := range []error{
		nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrReconnectBufExceeded, nats.ErrNoServers,
		nats.ErrConnectionReconnecting, nats.ErrConnectionDraining, nats.ErrStaleConnection, nats.ErrSlowConsumer,
		nats.ErrMaxConnectionsExceeded, nats.ErrMaxAccountConnectionsExceeded, nats.ErrMaxSubscriptionsExceeded,
		nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired, // of a lost connection: the next one may pass
		jetstream.ErrNoStreamResponse, jetstream.ErrAsyncPublishTimeout, jetstream.ErrTooManyStalledMsgs,
		jetstream.ErrServerShutdown, jetstream.ErrInvalidJSAck, jetstream.ErrInvalidJetStreamResponse,
		jetstream.ErrConsumerCreationResponseEmpty, errLag, errOusted,
		context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	_, network := errors.AsType[net.Error](err)
	return network
}

// consumerLost reports whether err says that a consumer gets no further:
// another one may.
func consumerLost(err error) bool {
	for _, known := range []error{
		jetstream.ErrConsumerDeleted, jetstream.ErrConsumerLeadershipChanged, jetstream.ErrConsumerNotFound,
		jetstream.ErrNoHeartbeat, jetstream.ErrMsgIteratorClosed, errGap,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// placed turns answers to the creation of a consumer into what they are, worth
// asking again: that no server can take it has the code of a lack of room, and that
// it does not exist is said where somebody deletes it at this moment, to create it
// anew.
func placed(err error) error {
	switch codeOf(err) {
	case server.JSInsufficientResourcesErr:
		return fmt.Errorf("no server takes the consumer now: %w: %w", nats.ErrNoResponders, err)
	case server.JSConsumerDoesNotExist:
		return fmt.Errorf("the consumer is created anew now: %w: %w", nats.ErrNoResponders, err)
	}
	return err
}

// codeOf returns the server's error code, or 0.
func codeOf(err error) server.ErrorIdentifier {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return server.ErrorIdentifier(api.ErrorCode)
	}
	return 0
}

// isRefusal reports whether a code is known as one that no repetition changes.
func isRefusal(code server.ErrorIdentifier) bool {
	switch code {
	case server.JSBadRequestErr, server.JSClusterNotActiveErr, server.JSClusterRequiredErr, server.JSClusterTagsErr, server.JSConsumerNameExistErr,
		server.JSSnapshotDeliverSubjectInvalidErr, server.JSConsumerDurableNameNotInSubjectErr, server.JSConsumerDurableNameNotMatchSubjectErr,
		server.JSConsumerDurableNameNotSetErr, server.JSConsumerEphemeralWithDurableInSubjectErr, server.JSConsumerEphemeralWithDurableNameErr,
		server.JSStreamExternalApiOverlapErrF, server.JSStreamExternalDelPrefixOverlapsErrF, server.JSStreamInvalidExternalDeliverySubjErrF,
		server.JSInvalidJSONErr, server.JSMaximumStreamsLimitErr, server.JSMirrorConsumerSetupFailedErrF, server.JSMirrorMaxMessageSizeTooBigErr,
		server.JSMirrorWithSourcesErr, server.JSMirrorWithStartSeqAndTimeErr, server.JSMirrorWithSubjectFiltersErr, server.JSMirrorWithSubjectsErr,
		server.JSClusterUnSupportFeatureErr, server.JSNotEmptyRequestErr, server.JSClusterPeerNotMemberErr, server.JSRestoreSubscribeFailedErrF,
		server.JSClusterServerNotMemberErr, server.JSSourceConsumerSetupFailedErrF, server.JSSourceMaxMessageSizeTooBigErr,
		server.JSStreamInvalidConfigF, server.JSStreamLimitsErrF, server.JSStreamMirrorNotUpdatableErr, server.JSStreamMismatchErr,
		server.JSStreamNotMatchErr, server.JSStreamReplicasNotUpdatableErr, server.JSStreamRestoreErrF, server.JSStreamSequenceNotMatchErr,
		server.JSStreamSnapshotErrF, server.JSStreamSubjectOverlapErr, server.JSStreamTemplateCreateErrF, server.JSStreamTemplateDeleteErrF,
		server.JSStreamTemplateNotFoundErr, server.JSStreamWrongLastMsgIDErrF, server.JSTempStorageFailedErr,
		server.JSTemplateNameNotMatchSubjectErr, server.JSStreamReplicasNotSupportedErr, server.JSConsumerConfigRequiredErr,
		server.JSConsumerDeliverToWildcardsErr, server.JSConsumerPushMaxWaitingErr, server.JSConsumerDeliverCycleErr,
		server.JSConsumerMaxPendingAckPolicyRequiredErr, server.JSConsumerSmallHeartbeatErr, server.JSConsumerPullRequiresAckErr,
		server.JSConsumerPullNotDurableErr, server.JSConsumerPullWithRateLimitErr, server.JSConsumerMaxWaitingNegativeErr,
		server.JSConsumerHBRequiresPushErr, server.JSConsumerFCRequiresPushErr, server.JSConsumerDirectRequiresPushErr,
		server.JSConsumerDirectRequiresEphemeralErr, server.JSConsumerOnMappedErr, server.JSConsumerFilterNotSubsetErr,
		server.JSConsumerInvalidPolicyErrF, server.JSConsumerInvalidSamplingErrF, server.JSConsumerWQRequiresExplicitAckErr,
		server.JSConsumerWQMultipleUnfilteredErr, server.JSConsumerWQConsumerNotUniqueErr, server.JSConsumerWQConsumerNotDeliverAllErr,
		server.JSConsumerNameTooLongErrF, server.JSConsumerBadDurableNameErr, server.JSConsumerExistingActiveErr,
		server.JSConsumerReplacementWithDifferentNameErr, server.JSConsumerDescriptionTooLongErrF, server.JSConsumerWithFlowControlNeedsHeartbeats,
		server.JSStreamSealedErr, server.JSStreamRollupFailedF, server.JSConsumerInvalidDeliverSubject, server.JSStreamMaxBytesRequired,
		server.JSConsumerMaxRequestBatchNegativeErr, server.JSConsumerMaxRequestExpiresTooSmall, server.JSConsumerMaxDeliverBackoffErr,
		server.JSStreamInfoMaxSubjectsErr, server.JSNoLimitsErr, server.JSConsumerMaxPendingAckExcessErrF, server.JSStreamMaxStreamBytesExceeded,
		server.JSStreamMoveAndScaleErr, server.JSConsumerMaxRequestBatchExceededF, server.JSConsumerReplicasExceedsStream,
		server.JSConsumerNameContainsPathSeparatorsErr, server.JSStreamNameContainsPathSeparatorsErr, server.JSStreamReconfigureNotInProgressErr,
		server.JSStreamNameExistRestoreFailedErr, server.JSConsumerCreateFilterSubjectMismatchErr, server.JSConsumerCreateDurableAndNameMismatch,
		server.JSReplicasCountCannotBeNegative, server.JSConsumerReplicasShouldMatchStream, server.JSConsumerMetadataLengthErrF,
		server.JSConsumerDuplicateFilterSubjects, server.JSConsumerMultipleFiltersNotAllowed, server.JSConsumerOverlappingSubjectFilters,
		server.JSConsumerEmptyFilter, server.JSSourceDuplicateDetected, server.JSSourceInvalidStreamName, server.JSMirrorInvalidStreamName,
		server.JSMirrorWithFirstSeqErr, server.JSSourceMultipleFiltersNotAllowed, server.JSSourceInvalidSubjectFilter,
		server.JSSourceInvalidTransformDestination, server.JSSourceOverlappingSubjectFilters, server.JSConsumerAlreadyExists,
		server.JSMirrorMultipleFiltersNotAllowed, server.JSMirrorInvalidSubjectFilter, server.JSMirrorOverlappingSubjectFilters,
		server.JSConsumerInactiveThresholdExcess, server.JSMirrorInvalidTransformDestination, server.JSStreamTransformInvalidSource,
		server.JSStreamTransformInvalidDestination, server.JSPedanticErrF, server.JSConsumerPriorityPolicyWithoutGroup,
		server.JSConsumerInvalidPriorityGroupErr, server.JSConsumerEmptyGroupName, server.JSConsumerInvalidGroupNameErr,
		server.JSMessageTTLInvalidErr, server.JSMessageTTLDisabledErr, server.JSMessageIncrDisabledErr, server.JSMessageIncrMissingErr,
		server.JSMessageIncrPayloadErr, server.JSMessageIncrInvalidErr, server.JSMessageCounterBrokenErr, server.JSMirrorWithCountersErr,
		server.JSAtomicPublishDisabledErr, server.JSAtomicPublishMissingSeqErr, server.JSAtomicPublishIncompleteBatchErr,
		server.JSAtomicPublishUnsupportedHeaderBatchErr, server.JSConsumerPushWithPriorityGroupErr, server.JSAtomicPublishInvalidBatchIDErr,
		server.JSConsumerAckPolicyInvalidErr, server.JSConsumerReplayPolicyInvalidErr, server.JSConsumerAckWaitNegativeErr,
		server.JSConsumerBackOffNegativeErr, server.JSRequiredApiLevelErr, server.JSMirrorWithMsgSchedulesErr, server.JSSourceWithMsgSchedulesErr,
		server.JSMessageSchedulesDisabledErr, server.JSMessageSchedulesPatternInvalidErr, server.JSMessageSchedulesTargetInvalidErr,
		server.JSMessageSchedulesTTLInvalidErr, server.JSMessageSchedulesRollupInvalidErr, server.JSStreamExpectedLastSeqPerSubjectInvalid,
		server.JSConsumerPriorityGroupWithPolicyNone, server.JSConsumerPinnedTTLWithoutPriorityPolicyNone, server.JSMirrorWithAtomicPublishErr,
		server.JSAtomicPublishTooLargeBatchErrF, server.JSAtomicPublishInvalidBatchCommitErr, server.JSAtomicPublishContainsDuplicateMessageErr,
		server.JSMessageSchedulesSourceInvalidErr, server.JSConsumerInvalidResetErr, server.JSBatchPublishDisabledErr,
		server.JSBatchPublishInvalidPatternErr, server.JSBatchPublishInvalidBatchIDErr, server.JSBatchPublishUnknownBatchIDErr,
		server.JSMirrorWithBatchPublishErr, server.JSMessageSchedulesSchedulerInvalidErr, server.JSMirrorDurableConsumerCfgInvalid,
		server.JSMirrorConsumerRequiresAckFCErr, server.JSSourceDurableConsumerCfgInvalid, server.JSSourceDurableConsumerDuplicateDetected,
		server.JSSourceConsumerRequiresAckFCErr, server.JSConsumerAckFCRequiresPushErr, server.JSConsumerAckFCRequiresFCErr,
		server.JSConsumerAckFCRequiresMaxAckPendingErr, server.JSConsumerAckFCRequiresNoAckWaitErr, server.JSConsumerAckFCRequiresNoMaxDeliverErr,
		server.JSMessageSchedulesTimeZoneInvalidErr, server.JSClusterRescueErr, server.JSConsumerStreamIdentityMismatchF,
		server.JSMessageSourceHdrNotAllowedErr, server.JSSourceConsumerFlowControlStalledErr:
		return true
	}
	return false
}
