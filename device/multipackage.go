package device

import (
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multipackage"
)

// answerBuffer holds the answers to the last command set of TS007, until the next one.
type answerBuffer struct {
	token uint8
	set   int // counts command sets: a new one aborts what is left of the old
	bytes []byte
}

// takeMultiPackage carries out the commands of one frame on FPort 225. The answers are
// collected and sent together; they are as late as the latest of them.
func (d *Device) takeMultiPackage(at time.Time, payload []byte) {
	m, err := multipackage.ParseDownlink(payload, d.cfg.Packages)
	if err != nil && d.cfg.Stack.DropsOnUnknown || len(m.Items) == 0 {
		return
	}
	ready := at.Add(d.answerTime())
	if req, ok := m.Items[0].Command.(multipackage.MultiPackBufferReq); ok {
		d.repeatAnswers(ready, req)
		return
	}
	d.batches++
	d.answers = answerBuffer{token: m.Token, set: d.batches}
	var replies []reply
	var ids []lorawan.PackageID
	for _, item := range m.Items {
		if d.cfg.Packages.Of(item.Package) == 0 || !d.implements(item.Command) {
			break
		}
		if r := d.executeItem(at, item); r != nil {
			replies, ids = append(replies, *r), append(ids, item.Package)
			ready = latest(ready, at.Add(r.delay))
		}
	}
	d.postFrames(ready, func(now time.Time, room int) {
		d.answers.bytes = d.answerBytes(now, room, replies, ids)
	})
}

// executeItem knows the commands of TS007 itself and hands the others on.
func (d *Device) executeItem(at time.Time, item multipackage.Item) *reply {
	if _, ok := item.Command.(multipackage.DevPackageReq); ok {
		return say(d.devPackages())
	}
	return d.execute(at, item.Package, origin{}, item.Command)
}

func (d *Device) devPackages() multipackage.DevPackageAns {
	var ans multipackage.DevPackageAns
	for _, id := range lorawan.AllPackages() {
		if v := d.cfg.Packages.Of(id); v != 0 {
			ans.Packages = append(ans.Packages, multipackage.PackageInfo{
				PackageIdentifier: id, PackageVersion: v, FPort: d.cfg.Ports.Of(id),
			})
		}
	}
	return ans
}

// answerBytes makes the answers, as many as the buffer of 128 bytes holds.
func (d *Device) answerBytes(now time.Time, room int, replies []reply, ids []lorawan.PackageID) []byte {
	var items []multipackage.Item
	var b []byte
	for i, r := range replies {
		c := r.command(now, room)
		if c == nil {
			continue
		}
		more, err := multipackage.AppendItems(nil, d.cfg.Packages, append(items, multipackage.Item{Package: ids[i], Command: c})...)
		if err != nil {
			panic("device: " + err.Error()) // the device made it up itself, in range
		}
		if len(more) > multipackage.BufferSize {
			break
		}
		items, b = append(items, multipackage.Item{Package: ids[i], Command: c}), more
	}
	return b
}

// postFrames posts the answer buffer, filled at the last moment: whole with its token, or in pieces.
func (d *Device) postFrames(at time.Time, fill func(now time.Time, room int)) {
	set, token := d.answers.set, d.answers.token
	d.postMultiPackage(at, func(now time.Time, room int) []byte {
		if d.answers.set != set {
			return nil
		}
		fill(now, room)
		b := d.answers.bytes
		switch {
		case len(b) == 0:
			return nil
		case len(b)+1 <= room:
			return append(b[:len(b):len(b)], token)
		}
		return d.piece(now, room, 0, len(b))
	})
}

// piece returns bytes from..to of the answer buffer as MultiPackBufferFrag, as many as
// fit, and posts the rest.
func (d *Device) piece(now time.Time, room, from, to int) []byte {
	const overhead = 3 // CID, BaseByte, token
	end := min(to, from+room-overhead)
	if end < to {
		set := d.answers.set
		d.postMultiPackage(now, func(now time.Time, room int) []byte {
			if d.answers.set != set {
				return nil
			}
			return d.piece(now, room, end, to)
		})
	}
	return d.multiPackageFrame(multipackage.MultiPackBufferFrag{BaseByte: uint8(from), Buffer: d.answers.bytes[from:end]})
}

// repeatAnswers answers MultiPackBufferReq.
func (d *Device) repeatAnswers(at time.Time, req multipackage.MultiPackBufferReq) {
	d.postMultiPackage(at, func(now time.Time, room int) []byte {
		from, to := int(req.StartByte), int(req.StopByte)+1
		if from >= to || to > len(d.answers.bytes) {
			return d.multiPackageFrame(multipackage.MultiPackBufferFrag{Error: true})
		}
		return d.piece(now, room, from, to)
	})
}

func (d *Device) postMultiPackage(at time.Time, frame func(now time.Time, room int) []byte) {
	if d.cfg.Behaviour.Silent {
		return
	}
	d.post(message{at: at, fport: lorawan.MultiPackage.DefaultFPort(), make: frame})
}

func (d *Device) multiPackageFrame(frag multipackage.MultiPackBufferFrag) []byte {
	m := multipackage.Message{
		Items:   []multipackage.Item{{Package: lorawan.MultiPackage, Command: frag}},
		Token:   d.answers.token,
		NoToken: frag.Error,
	}
	b, err := m.Append(nil, d.cfg.Packages)
	if err != nil {
		panic("device: " + err.Error()) // the piece was cut from the buffer itself
	}
	return b
}
