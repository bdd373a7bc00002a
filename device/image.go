package device

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"time"

	"github.com/starling-fuota/starling/device/blinky"
	"github.com/starling-fuota/starling/lorawan/firmware"
	"github.com/starling-fuota/starling/lorawan/fragmentation"
)

// runningFirmware is what runs and what waits to run.
type runningFirmware struct {
	version uint32
	image   []byte // nil: unknown
	next    nextImage

	refusal    error     // why the last block was refused; nil: it was not
	lostPower  bool      // what Behaviour.LosesPowerAt wants has happened
	rebootTime time.Time // by the device's clock, if a reboot is planned so; else zero
	held       bool      // a cancelled reboot: the device does not reboot by itself
	whenValid  bool      // RebootTime 0 came before the image
}

// nextImage is the image that waits for installation.
type nextImage struct {
	status   firmware.ImageStatus
	version  uint32
	prepared Prepared
	sound    bool // what the boot loader will find
}

// errDamaged is why a block or image is refused that does not fit its MIC, or the hash that it carries.
var errDamaged = errors.New("device: the image is damaged")

// takeImage looks at a complete block. It is firmware if the session's Descriptor is not
// zero: the Descriptor is the version then, little endian, as DevVersionAns carries it. sound
// is false if the block is known to be wrong.
func (d *Device) takeImage(at time.Time, block []byte, req fragmentation.FragSessionSetupReq, sound bool) {
	if req.Descriptor == [4]byte{} {
		return // a file for the application
	}
	err := errDamaged
	var prepared Prepared
	if sound && hashFits(block) {
		prepared, err = d.prepare(at, block)
	}
	if errors.Is(err, ErrPowerLost) {
		return // and so is the block
	}
	at = latest(at, d.bootedAt) // power may have been away
	if d.cfg.Behaviour.WrongHardware {
		err = ErrForeign
	}
	next := nextImage{version: binary.LittleEndian.Uint32(req.Descriptor[:]), prepared: prepared, sound: prepared.Boot != nil}
	if prepared.Version != 0 {
		next.version = prepared.Version
	}
	switch {
	case errors.Is(err, ErrForeign):
		next.status = firmware.ImageForeign
	case err == nil || d.cfg.Stack.Unchecked:
		next.status = firmware.ImageValid
	default:
		next.status = firmware.ImageCorrupt
	}
	d.firmware.next, d.firmware.refusal = next, err
	if next.status != firmware.ImageValid {
		return
	}
	planned := !d.agenda.when(errand{what: reboot}).IsZero()
	switch {
	case d.firmware.whenValid:
		d.agenda.set(errand{what: reboot}, at, d.reboot)
	case d.cfg.Stack.RebootsItself && !planned && !d.firmware.held:
		spread := d.within(0, fragmentation.AckDelay(req.BlockAckDelay))
		d.agenda.set(errand{what: automaticReboot}, at.Add(spread), d.reboot)
	}
}

// prepare has the installer look at a block. If power is lost meanwhile the device restarts, and
// does it again if the block has survived; else it returns ErrPowerLost.
func (d *Device) prepare(at time.Time, block []byte) (Prepared, error) {
	if d.cfg.Install == nil {
		return Prepared{Boot: func() ([]byte, int, error) { return block, 0, nil }}, nil
	}
	u := Update{Block: block, Running: d.firmware.image, Version: d.firmware.version}
	if n := d.cfg.Behaviour.LosesPowerAt; n > 0 && !d.firmware.lostPower {
		u.PowerLosses = []int{n}
	}
	prepared, err := d.cfg.Install.Prepare(u)
	if !errors.Is(err, ErrPowerLost) {
		return prepared, err
	}
	d.firmware.lostPower = true
	d.restart(at, bootTime)
	if !d.cfg.Stack.KeepsState {
		return Prepared{}, err
	}
	u.PowerLosses = nil
	return d.cfg.Install.Prepare(u)
}

// install makes the waiting image the running one, unless the boot loader refuses it. It returns
// how often power was lost on the way.
func (d *Device) install() int {
	next := d.firmware.next
	d.firmware.next = nextImage{}
	if !next.sound || d.cfg.Behaviour.FailsInstall {
		return 0
	}
	image, losses, err := next.prepared.Boot()
	d.firmware.lostPower = d.firmware.lostPower || losses > 0
	if err == nil && !hashFits(image) {
		err = errDamaged // which the boot loader sees
	}
	if err != nil {
		d.firmware.refusal = err
		return losses
	}
	d.firmware.version, d.firmware.image = next.version, image
	if v := d.cfg.Behaviour.WrongVersion; v != 0 {
		d.firmware.version = v
	}
	return losses
}

// Image returns the last complete block without its padding, or what there is of the
// youngest one, which is nil in a crowd. It is not the caller's memory: do not change it.
func (d *Device) Image() (block []byte, complete bool) {
	if s := d.youngest; s != nil && !s.complete {
		return s.image(), false
	}
	return d.block, d.block != nil
}

// RunningFirmware returns the version that runs, as DevVersionAns reports it.
func (d *Device) RunningFirmware() uint32 { return d.firmware.version }

// RunningImageSHA256 returns the hash of the image that runs, in hexadecimal, or "" if
// the image is not known.
func (d *Device) RunningImageSHA256() string {
	if d.firmware.image == nil {
		return ""
	}
	sum := sha256.Sum256(d.firmware.image)
	return hex.EncodeToString(sum[:])
}

// The image format of MCUboot, whose trailer has a hash. All numbers are little endian.
//
//	| magic 4 | load 4 | header size 2 | protected TLVs 2 | image size 4 | ... | image |
//	| protected TLV area | 0x6907, length | type, length, value | type, length, value ...
const (
	mcubootMagic    = 0x96f3b83d
	mcubootHeader   = 32
	mcubootTLVMagic = 0x6907
	mcubootSHA256   = 0x10 // over header, image and protected TLVs
)

// hashFits reports whether a block agrees with the hash or checksum that it carries. A
// block of another format carries none and passes.
func hashFits(block []byte) bool {
	switch {
	case len(block) >= mcubootHeader && binary.LittleEndian.Uint32(block) == mcubootMagic:
		return mcubootFits(block)
	case len(block) >= blinkyBody && string(block[blinkyHeader:][:len(blinky.Magic)]) == blinky.Magic:
		return blinkyFits(block)
	}
	return true
}

// The header of package blinky: magic 4, version 4, image size 4, CRC-32 of what follows 4.
const (
	blinkyHeader = 0xc0
	blinkyBody   = blinkyHeader + 16
)

func blinkyFits(block []byte) bool {
	le := binary.LittleEndian
	return uint64(le.Uint32(block[blinkyHeader+8:])) == uint64(len(block)) &&
		le.Uint32(block[blinkyHeader+12:]) == crc32.ChecksumIEEE(block[blinkyBody:])
}

func mcubootFits(block []byte) bool {
	le := binary.LittleEndian
	hashed := uint64(le.Uint16(block[8:])) + uint64(le.Uint32(block[12:])) + uint64(le.Uint16(block[10:]))
	if hashed+4 > uint64(len(block)) {
		return false
	}
	area := block[hashed:]
	if le.Uint16(area) != mcubootTLVMagic || int(le.Uint16(area[2:])) > len(area) {
		return false
	}
	area = area[4:max(4, le.Uint16(area[2:]))]
	for len(area) >= 4 {
		kind, size := le.Uint16(area), int(le.Uint16(area[2:]))
		area = area[4:]
		if size > len(area) {
			return false
		}
		if kind == mcubootSHA256 {
			sum := sha256.Sum256(block[:hashed])
			return bytes.Equal(area[:size], sum[:])
		}
		area = area[size:]
	}
	return false
}
