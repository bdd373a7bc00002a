package device

import (
	"slices"
	"time"
)

// message waits to be transmitted. What it says is decided at the last moment, because
// much of it is about time: DeviceTime, TimeToStart, the seconds to a reboot.
type message struct {
	at    time.Time // not before
	fport uint8
	batch int // answers to one downlink have the same number; 0: no answer
	limit int // most bytes the batch may have in one frame, what goes beyond is lost; 0: no limit
	topic errand

	// make returns the payload, at most room bytes of it, or nothing if there is
	// nothing to say any more.
	make func(now time.Time, room int) []byte
}

// post puts m into the outbox, unless a message of the same named topic still waits there.
func (d *Device) post(m message) {
	if m.topic.what != unnamed && slices.ContainsFunc(d.outbox, func(o message) bool { return o.topic == m.topic }) {
		return
	}
	d.outbox = append(d.outbox, m)
}

// withdraw takes the messages of a topic out of the outbox.
func (d *Device) withdraw(topic errand) {
	d.outbox = slices.DeleteFunc(d.outbox, func(o message) bool { return o.topic == topic })
}

// nextMessage returns the place of the message to send first, -1 if the outbox is empty.
func (d *Device) nextMessage() int {
	first := -1
	for i, m := range d.outbox {
		if first < 0 || m.at.Before(d.outbox[first].at) {
			first = i
		}
	}
	return first
}

// collect takes from the outbox what goes into the next frame: the first message and,
// if it is an answer, all due answers of the same FPort that fit into room bytes. What
// does not fit even alone is lost. It returns false if nothing is due.
func (d *Device) collect(now time.Time, room int) (first message, payload []byte, ok bool) {
	for len(payload) == 0 {
		i := d.nextMessage()
		if i < 0 || d.outbox[i].at.After(now) {
			return message{}, nil, false
		}
		first = d.take(i)
		if payload = first.make(now, room); len(payload) > room {
			payload = nil
		}
	}
	if first.batch != 0 {
		payload = d.addAnswers(now, first, payload, room)
	}
	return first, payload, true
}

// addAnswers appends the other answers that are due on the FPort of first.
func (d *Device) addAnswers(now time.Time, first message, payload []byte, room int) []byte {
	for i := 0; i < len(d.outbox); {
		m := d.outbox[i]
		if m.batch == 0 || m.fport != first.fport || m.at.After(now) {
			i++
			continue
		}
		more := m.make(now, room)
		whole := len(payload) + len(more)
		switch {
		case m.limit > 0 && m.batch == first.batch && whole > m.limit:
			d.take(i) // lost, as in a stack whose answer buffer is short
		case whole > room:
			return payload
		default:
			d.take(i)
			payload = append(payload, more...)
		}
	}
	return payload
}

func (d *Device) take(i int) message {
	m := d.outbox[i]
	d.outbox = slices.Delete(d.outbox, i, i+1)
	return m
}
