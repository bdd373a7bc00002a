package device

import (
	"errors"
	"time"

	"github.com/starling-fuota/starling/lorawan"
	"github.com/starling-fuota/starling/lorawan/multicast"
)

// group is one multicast group of TS005. It is a LoRaWAN session of its own, with a
// range of counters: next <= FCnt < max.
type group struct {
	defined   bool
	addr      lorawan.DevAddr
	key       lorawan.AES128Key // McKey
	keys      *lorawan.Session  // McAddr, McNwkSKey, McAppSKey; not to be changed
	next, max uint32

	session mcSession
}

var errFCntRange = errors.New("multicast counter beyond maxMcFCnt")

// open decrypts a frame of the group, with the help of the crowd if there is one. A frame under
// another key fails here, and this is all that anybody ever sees of a wrong key.
func (g *group) open(phy []byte, c *Crowd) (frame lorawan.DataFrame, err error) {
	if c != nil {
		frame, err = c.open(g.keys, phy, g.next)
	} else {
		frame, err = g.keys.Open(phy, g.next)
	}
	switch {
	case err != nil:
		return frame, err
	case frame.Direction != lorawan.Downlink:
		return frame, lorawan.ErrFrame
	case frame.FCnt >= g.max:
		return frame, errFCntRange
	}
	g.next = frame.FCnt + 1
	return frame, nil
}

// setUpGroup creates or replaces a group. There is nothing to check: any 16 bytes
// unwrap to some key.
func (d *Device) setUpGroup(c multicast.McGroupSetupReq) *reply {
	ans := multicast.McGroupSetupAns{McGroupID: c.McGroupID}
	if int(c.McGroupID) >= slots(d.cfg.Stack.Groups) {
		ans.IDError = true
		return say(ans)
	}
	old := d.groups[c.McGroupID]
	key := multicast.UnwrapMcKey(d.mcKEKey, c.McKeyEncrypted)
	g := group{defined: true, addr: c.McAddr, key: key, keys: d.expandGroup(c.McAddr, key), next: c.MinMcFCnt, max: c.MaxMcFCnt}
	if old.defined && old.addr == g.addr && old.key.Equal(key) {
		// A repeated setup, because the answer was lost: the session stays, and a
		// counter that was used under this key is not taken again.
		g.session = old.session
		if !d.cfg.Stack.SetupResetsFCnt {
			g.next = max(g.next, old.next)
		}
	}
	d.groups[c.McGroupID] = g
	return say(ans)
}

// expandGroup returns the session keys of a group.
func (d *Device) expandGroup(addr lorawan.DevAddr, key lorawan.AES128Key) *lorawan.Session {
	if d.cfg.Crowd != nil {
		return d.cfg.Crowd.session(addr, key)
	}
	return expandGroup(addr, key)
}

func expandGroup(addr lorawan.DevAddr, key lorawan.AES128Key) *lorawan.Session {
	s := lorawan.NewSession(addr, multicast.McNwkSKey(key, addr), multicast.McAppSKey(key, addr))
	return &s
}

func (d *Device) deleteGroup(c multicast.McGroupDeleteReq) *reply {
	g := &d.groups[c.McGroupID]
	ans := multicast.McGroupDeleteAns{McGroupID: c.McGroupID, McGroupUndefined: !g.defined}
	*g = group{}
	return say(ans)
}

// groupStatus lists the groups that were asked for. What does not fit the uplink is
// left out, the highest numbers first.
func (d *Device) groupStatus(c multicast.McGroupStatusReq) *reply {
	const head, record = 2, 5
	return &reply{command: func(_ time.Time, room int) lorawan.Command {
		var ans multicast.McGroupStatusAns
		if limit := d.cfg.Stack.MaxAnswer[lorawan.McSetup]; limit > 0 {
			room = min(room, limit)
		}
		for id := range d.groups {
			g := &d.groups[id]
			if !g.defined {
				continue
			}
			ans.NbTotalGroups++
			if c.ReqGroupMask>>id&1 == 1 && head+record*(len(ans.Groups)+1) <= room {
				ans.AnsGroupMask |= 1 << id
				ans.Groups = append(ans.Groups, multicast.McGroup{McGroupID: uint8(id), McAddr: g.addr})
			}
		}
		return ans
	}}
}
