package campaign

// Reason is a stable code for why something became as it is. People read the text of
// the event beside it; programs and statistics read the code.
type Reason string

// Reasons of devices.
const (
	ReasonNone             Reason = ""
	ReasonNoUplink         Reason = "device.no_uplink"          // never heard while we waited for it
	ReasonNoAnswer         Reason = "device.no_answer"          // asked as often as allowed
	ReasonRejoined         Reason = "device.rejoined"           // lost its groups and sessions, set up again
	ReasonLate             Reason = "device.late"               // not ready when its stage closed
	ReasonNotSent          Reason = "network.not_sent"          // the network server could not send in time
	ReasonGroupIDRefused   Reason = "mcgroup.id_refused"        // McGroupSetupAns IDError
	ReasonDataRateRefused  Reason = "session.dr_refused"        // McClassBSessionAns, McClassCSessionAns DRError
	ReasonFrequencyRefused Reason = "session.frequency_refused" // FreqError
	ReasonSessionMissed    Reason = "session.start_missed"      // asked too late, or the device's clock is wrong
	ReasonUnconfirmed      Reason = "session.unconfirmed"       // asked, and not answered: it may have heard
	ReasonClockWrong       Reason = "session.clock_wrong"       // TimeToStart does not lead to the session time
	ReasonFragAlgo         Reason = "frag.algorithm_refused"    // FragSessionSetupAns bit 0
	ReasonFragMemory       Reason = "frag.no_memory"            // bit 1
	ReasonFragIndex        Reason = "frag.index_refused"        // bit 2
	ReasonFragDescriptor   Reason = "frag.descriptor_refused"   // bit 3
	ReasonFragReplay       Reason = "frag.session_cnt_replay"   // bit 4
	ReasonFragIncomplete   Reason = "frag.incomplete"           // fragments still missing at the end
	ReasonFragDecoder      Reason = "frag.decoder_full"         // lost more than the decoder can hold
	ReasonFragMIC          Reason = "frag.mic_error"            // block complete but its MIC is wrong
	ReasonFragNoSession    Reason = "frag.no_session"           // device forgot the session
	ReasonRebootRefused    Reason = "reboot.refused"            // DevRebootTimeAns 0, or an implausible time
	ReasonImageNone        Reason = "image.none"                // DevUpgradeImageAns 0
	ReasonImageCorrupt     Reason = "image.corrupt"             // 1
	ReasonImageHardware    Reason = "image.wrong_hardware"      // 2
	ReasonImageVersion     Reason = "image.wrong_version"       // 3, but not the version we sent
	ReasonVersionMismatch  Reason = "version.mismatch"          // rebooted into something else
	ReasonStopped          Reason = "campaign.stopped"
	ReasonEnded            Reason = "campaign.ended" // the campaign ended before this device did
)

// Reasons of the campaign as a whole.
const (
	ReasonBelowThreshold Reason = "stage.below_threshold"
	ReasonMaxDuration    Reason = "campaign.max_duration"
)
