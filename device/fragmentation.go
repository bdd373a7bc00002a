package device

import (
	"slices"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

// fragSession is one session of TS004.
type fragSession struct {
	req      fragmentation.FragSessionSetupReq
	dec      decoder
	started  bool // the first fragment came: SessionCnt is used up
	complete bool
	micError bool
}

// announcements is how often FragDataBlockReceivedReq is sent without an answer.
const announcements = 3

// setUpFragSession opens a session, in the place of the one that had the index.
func (d *Device) setUpFragSession(c fragmentation.FragSessionSetupReq) *reply {
	ans := fragmentation.FragSessionSetupAns{
		FragIndex:            c.FragIndex,
		FragAlgoUnsupported:  c.FragAlgo != 0,
		FragIndexUnsupported: int(c.FragIndex) >= slots(d.cfg.Stack.FragSessions) || d.cfg.Stack.KeepsSession && d.otherSession(c.FragIndex),
		SessionCntReplay:     d.cfg.Packages.Fragmentation >= lorawan.V2 && int(c.SessionCnt) <= d.lastCnt[c.FragIndex],
	}
	dec, err := d.cfg.newDecoder(c)
	ans.NotEnoughMemory = err != nil || c.BlockSize() <= 0 || d.cfg.Behaviour.RefusesSetup
	if ans.Refused() {
		return say(ans)
	}
	if d.cfg.Stack.SharedDecoder {
		clear(d.frags[:])
	}
	d.stopAnnouncing(c.FragIndex)
	d.youngest = &fragSession{req: c, dec: dec}
	d.frags[c.FragIndex] = d.youngest
	return say(ans)
}

func (d *Device) otherSession(index uint8) bool {
	for i, s := range d.frags {
		if s != nil && i != int(index) {
			return true
		}
	}
	return false
}

func (d *Device) deleteFragSession(c fragmentation.FragSessionDeleteReq) *reply {
	ans := fragmentation.FragSessionDeleteAns{FragIndex: c.FragIndex, SessionDoesNotExist: d.frags[c.FragIndex] == nil}
	d.frags[c.FragIndex] = nil
	d.stopAnnouncing(c.FragIndex)
	return say(ans)
}

// takeFragment gives a fragment to its decoder.
func (d *Device) takeFragment(at time.Time, from origin, c fragmentation.DataFragment) {
	s := d.frags[c.FragIndex]
	if s == nil || from.multicast && !d.cfg.Stack.IgnoresGroupMask && s.req.McGroupBitMask>>from.group&1 == 0 {
		return
	}
	done, err := s.dec.Add(int(c.N), c.Data)
	if err != nil || s.complete {
		return
	}
	if !s.started {
		s.started = true
		// From here on the counter is used up, whatever happens to the session.
		d.lastCnt[c.FragIndex] = int(s.req.SessionCnt)
	}
	d.counters.FragmentsHeard++
	if n := d.cfg.Behaviour.ResetAfterFragments; n > 0 && d.counters.FragmentsHeard == n {
		d.reset(at)
		return
	}
	if done {
		d.completed(at, s)
	}
}

// completed is called once per session, when the decoder is done.
func (d *Device) completed(at time.Time, s *fragSession) {
	s.complete = true
	d.block = s.image()
	if d.cfg.Behaviour.CorruptsImage && d.block != nil {
		d.block = slices.Clone(d.block) // a crowd's block is not this device's alone
		d.block[len(d.block)/2] ^= 0xff
	}
	if d.cfg.Packages.Fragmentation >= lorawan.V2 {
		mic := fragmentation.DataBlockMIC(d.blockKey, s.req.SessionCnt, s.req.FragIndex, s.req.Descriptor, d.block)
		s.micError = d.block == nil || mic != s.req.MIC
	}
	if s.req.AckReception {
		d.announce(at, s, announcements)
	}
	if d.cfg.Stack.LeavesWhenComplete {
		d.endSessions()
	}
	sound := s.dec.Failed() == nil && d.block != nil && !s.micError && !d.cfg.Behaviour.CorruptsImage
	d.takeImage(at, d.block, s.req, sound)
}

// image returns the block without its padding, nil if a device in a crowd does not know it.
func (s *fragSession) image() []byte {
	b := s.dec.Bytes()
	return b[:min(s.req.BlockSize(), len(b))]
}

// announce plans FragDataBlockReceivedReq: after a random part of BlockAckDelay, and
// again until the server answers, at most three times.
func (d *Device) announce(at time.Time, s *fragSession, times int) {
	if times == 0 || d.cfg.Behaviour.Silent {
		return
	}
	index := s.req.FragIndex
	e := errand{blockReceived, index}
	d.agenda.set(e, at.Add(d.answerTime()+d.spread(s)), func(now time.Time) {
		d.post(message{
			at: now, fport: d.cfg.Ports.Of(lorawan.Fragmentation), topic: e,
			make: func(time.Time, int) []byte {
				req := fragmentation.FragDataBlockReceivedReq{FragIndex: index, MICError: s.micError}
				return encode(req, d.cfg.Packages.Fragmentation)
			},
		})
		d.announce(now, s, times-1)
	})
}

func (d *Device) stopAnnouncing(index uint8) {
	d.agenda.cancel(errand{blockReceived, index})
	d.withdraw(errand{blockReceived, index})
}

// spread returns a random part of the BlockAckDelay of a session.
func (d *Device) spread(s *fragSession) time.Duration {
	return d.within(0, fragmentation.AckDelay(s.req.BlockAckDelay))
}

// fragStatus answers FragSessionStatusReq after a random part of BlockAckDelay. With
// Participants 0 only a device that misses something answers.
func (d *Device) fragStatus(c fragmentation.FragSessionStatusReq, from origin) *reply {
	s := d.frags[c.FragIndex]
	if s == nil {
		if from.multicast || d.cfg.Packages.Fragmentation < lorawan.V2 {
			return nil // not a participant, or no way to say so
		}
		return &reply{command: func(time.Time, int) lorawan.Command { return d.noSession() }}
	}
	if s.complete && !c.Participants {
		return nil
	}
	return &reply{
		delay: d.spread(s),
		topic: errand{statusAnswer, c.FragIndex}, // asked twice, answered once
		command: func(time.Time, int) lorawan.Command {
			if s := d.frags[c.FragIndex]; s != nil {
				return d.statusOf(s)
			}
			return nil
		},
	}
}

// statusOf fills in the answer as the stack does.
func (d *Device) statusOf(s *fragSession) lorawan.Command {
	r := s.dec.Report()
	ans := fragmentation.FragSessionStatusAns{
		FragIndex:      s.req.FragIndex,
		NbFragReceived: r.NbFragReceived,
		MissingFrag:    r.MissingFrag,
		MemoryError:    r.MatrixError,
	}
	if d.cfg.Packages.Fragmentation < lorawan.V2 {
		return ans
	}
	if d.cfg.Stack.StatusInV1Order {
		return as{ans, lorawan.V1}
	}
	ans.MICError = s.micError && r.MissingFrag == 0
	return ans
}

func (d *Device) noSession() lorawan.Command {
	ans := fragmentation.FragSessionStatusAns{SessionDoesNotExist: true}
	if d.cfg.Stack.PadsNoSession {
		return padded{ans}
	}
	return ans
}

// as is a command that a stack writes in the layout of another version than its own.
type as struct {
	lorawan.Command
	version lorawan.Version
}

// Append ignores the version that the device reports.
func (c as) Append(b []byte, _ lorawan.Version) ([]byte, error) {
	return c.Command.Append(b, c.version)
}

// padded is a command that a stack writes with three bytes too many.
type padded struct{ lorawan.Command }

// Append adds the three zero bytes.
func (c padded) Append(b []byte, v lorawan.Version) ([]byte, error) {
	b, err := c.Command.Append(b, v)
	return append(b, 0, 0, 0), err
}
