package storetest

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/starling-fuota/starling/fleet"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// oldDevices is more than one batch of sealing.
const oldDevices = 2500

// oldKey returns the n-th key of a family; no two bytes in a row are the same, so that none is found by chance.
func oldKey(family byte, n int) lorawan.AES128Key {
	k := lorawan.AES128Key{0xc1, family, 0x5e, byte(n >> 8), 0xa7, byte(n), 0x93, 0x0f, 0xd4, 0x68, 0xb2, 0x1c, 0xe5, 0x39, 0x86, 0x7a}
	return k
}

var oldPrivateKey = bytes.Repeat([]byte{0x30, 0x81, 0x87, 0xf3}, 30)

// OldKeys returns some of the keys that OldRows stores in clear.
func OldKeys() [][]byte {
	keys := [][]byte{oldPrivateKey}
	for _, n := range []int{0, 1, 2, 998, 999, 1000, 1001, 1999, 2000, oldDevices - 1} {
		for family := range byte(2) {
			k := oldKey(family, n)
			keys = append(keys, k[:])
		}
	}
	return keys
}

// OldRows returns statements that fill a database of schema 1, whose secrets are in clear. blob writes bytes as
// the engine wants them.
func OldRows(blob func([]byte) string) (statements []string) {
	insert := func(format string, args ...any) { statements = append(statements, fmt.Sprintf(format, args...)) }
	for n := range oldDevices {
		e, k := devEUI(1, n), oldKey(0, n)
		key := k[:]
		if n%100 == 50 {
			key = nil
		}
		insert(`INSERT INTO device (id, doc, search, name, archived, revision, updated_at, tag, profile_id, root_key, firmware, firmware_changed)
			VALUES (%s, '{"dev_eui":"%s","name":"d%d","classes":"B,C","lorawan_version":"1.1","band":"EU868","created_at":"2026-03-01T13:00:00.%06d+01:00"}', '%s', 'd%d', FALSE, 1, 5, 't', 'p', %s, '%s', %d)`,
			blob(e[:]), e, n, 999_000+n%1000, e, n, blob(key), versions[n%len(versions)], n)
	}
	for n := range 3 {
		e, k := devEUI(2, n), oldKey(1, n)
		insert(`INSERT INTO multicast_group (id, doc, search, name, archived, revision, updated_at, tag, band, mc_addr, mc_key, f_cnt_down)
			VALUES (%s, '{"dev_eui":"%s","session_class":"C","data_rate":3,"frequency":869525000,"created_at":"2026-03-01T12:00:00Z"}', '', 'g', FALSE, 1, 0, '', 'EU868', '0000000%d', %s, 9)`, blob(e[:]), e, n, blob(k[:]))
	}
	insert(`INSERT INTO smart_delta_key (id, doc, search, name, archived, revision, updated_at, private_key) VALUES ('k', '{"id":"k","name":"k"}', 'k', 'k', FALSE, 1, 0, %s)`, blob(oldPrivateKey))
	insert(`INSERT INTO device_profile (id, doc, search, name, archived, revision, updated_at, producer_id, module_id, hw_revision)
		VALUES ('p', '{"id":"p","name":"p","mcu_type":"m4"}', 'p', 'p', FALSE, 1, 0, 'a', 'b', 1)`)
	for n, v := range versions {
		insert(`INSERT INTO file (id, doc, search, name, archived, revision, updated_at, type, profile_id)
			VALUES ('f%d', '{"id":"f%d","name":"f","type":"firmware","version":"%s","size":%d,"uploaded_at":"2026-03-01T12:00:0%d.5Z"}', 'f', 'f', FALSE, 1, 0, 'firmware', 'p')`, n, n, v, 1<<40+n, n)
	}
	insert(`INSERT INTO campaign (id, doc, search, name, archived, revision, updated_at, type, status, status_reason, paused, started, ended)
		VALUES ('c', '{"id":"c","name":"c","created":"2026-03-01T12:00:00.000001Z","file_id":"f1","type":"FOTA","status":"CONFIGURED","max_duration_s":60}', 'c', 'c', FALSE, 1, 0, 'FOTA', 'CONFIGURED', '', FALSE, 0, 0)`)
	insert(`INSERT INTO campaign (id, doc, search, name, archived, revision, updated_at, type, status, status_reason, paused, started, ended)
		VALUES ('ran', '{"id":"ran","name":"ran","created":"2026-03-01T12:00:00Z","file_id":"f2","type":"FOTA","status":"SUCCEEDED"}', 'ran', 'ran', FALSE, 1, 0, 'FOTA', 'SUCCEEDED', '', FALSE, 1, 2)`)
	insert(`INSERT INTO run (campaign_id, spec, header, epoch, version, last_seq, wake_at) VALUES ('ran', %s, %s, 3, 4, 5, 0)`, blob([]byte("spec")), blob([]byte("header")))
	insert(`INSERT INTO device_set (id, doc, search, name, archived, revision, updated_at) VALUES ('s', '{"id":"s","name":"s"}', 's', 's', FALSE, 1, 0)`)
	e := devEUI(1, 7)
	insert(`INSERT INTO device_set_member (set_id, position, dev_eui) VALUES ('s', 1, %s)`, blob(e[:]))
	insert(`INSERT INTO region (id, doc, search, name, archived, revision, updated_at) VALUES ('r', '{"id":"r","name":"r"}', 'r', 'r', TRUE, 1, 0)`)
	return statements
}

// OldRowsAreKept finds everything of OldRows, and finds it by what schema 1 had no columns for.
func OldRowsAreKept(t *testing.T, s store.Store) {
	ctx := context.Background()
	o := s.Within(fleet.DefaultSubscriber)
	var all []fleet.Device
	for q := (store.Query{Limit: store.MaxLimit, Sort: []store.Sort{{Field: store.ByFirmware}}}); ; {
		page, err := o.Devices().List(ctx, q)
		if err != nil {
			t.Error(err)
			return
		}
		all = append(all, page.Items...)
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	if len(all) != oldDevices {
		t.Errorf("%d devices", len(all))
	}
	firmware, _ := store.FieldOf(store.KindDevice, store.ByFirmware)
	for i, d := range all {
		n := int(d.DevEUI[6])<<8 | int(d.DevEUI[7])
		expected := oldKey(0, n)
		if n%100 == 50 {
			expected = lorawan.AES128Key{}
		}
		if d.RootKey != expected || d.Firmware.String() != versions[n%len(versions)] || d.SubscriberID != fleet.DefaultSubscriber {
			t.Errorf("device %d: key %x, firmware %s, of %s", n, d.RootKey[:], d.Firmware, d.SubscriberID)
			return
		}
		if i > 0 && compareValues(firmware, all[i-1].Firmware.String(), d.Firmware.String()) > 0 {
			t.Errorf("%s comes after %s", d.Firmware, all[i-1].Firmware)
		}
	}
	created := time.Date(2026, 3, 1, 12, 0, 0, 999_007_000, time.UTC)
	type filter = map[store.Field]string
	for _, tc := range []struct {
		count func(context.Context, store.Query) (int, error)
		where filter
		want  int
	}{
		{o.Devices().Count, filter{store.ByCreated: created.Format(time.RFC3339Nano)}, 3},
		{o.Devices().Count, filter{store.ByCreated: "2026-03-01T12:00:00.999Z..2026-03-01T12:00:00.999999Z"}, oldDevices},
		{o.Devices().Count, filter{store.ByBand: "EU868", store.ByClasses: "B,C", store.ByLoRaWANVersion: "1.1", store.ByTag: "t"}, oldDevices},
		{o.Groups().Count, filter{store.BySessionClass: "C", store.ByDataRate: "3", store.ByFrequency: "869525000", store.ByCreated: "2026-03-01T12:00:00Z"}, 3},
		{o.Profiles().Count, filter{store.ByMCUType: "m4", store.ByCreated: ""}, 1},
		{o.Files().Count, filter{store.BySize: "1099511627778..", store.ByUploaded: "..2026-03-01T12:00:03.5Z"}, 2},
		{o.Files().Count, filter{store.ByVersion: "0000abcd"}, 1},
		{o.Campaigns().Count, filter{store.ByFile: "f1", store.ByCreated: "2026-03-01T12:00:00.000001Z"}, 1},
		{o.Devices().Count, filter{store.ByDeviceSet: "s"}, 1},
		{o.DeviceSets().Count, filter{store.ByDevice: devEUI(1, 7).String()}, 1},
		{o.Regions().Count, filter{store.ByArchived: "true"}, 1},
		{o.Subscribers().Count, nil, 1},
	} {
		if n, err := tc.count(ctx, store.Query{Where: tc.where}); err != nil || n != tc.want {
			t.Errorf("%v: %d, %v; want %d", tc.where, n, err, tc.want)
		}
	}
	files, err := o.Files().List(ctx, store.Query{Sort: []store.Sort{{Field: store.ByVersion}}})
	if err != nil || len(files.Items) != len(versions) || files.Items[1].Version.String() != "0.255.0.1" || files.Items[3].Version.String() != "1.10.0.0" || files.Items[5].Version.String() != "ffffffff" {
		t.Errorf("files by version: %+v, %v", files.Items, err)
	}
	run, err := s.LoadRun(ctx, "ran")
	if err != nil || string(run.Spec) != "spec" || string(run.Header) != "header" || run.Epoch != 3 {
		t.Errorf("run %+v, %v", run, err)
	}
	g, err := o.Groups().Find(ctx, devEUI(2, 2))
	if err != nil || g.McKey != oldKey(1, 2) || g.FCntDown != 9 {
		t.Errorf("group %+v, %v", g, err)
	}
	k, err := o.SmartDeltaKeys().Find(ctx, "k")
	if err != nil || !bytes.Equal(k.PrivateKey, oldPrivateKey) {
		t.Errorf("smart delta key of %d bytes, %v", len(k.PrivateKey), err)
	}
	history, err := s.FirmwareHistory(ctx, devEUI(1, 1), store.HistoryQuery{})
	if err != nil || len(history.Items) != 1 || history.Items[0].Version.String() != versions[1] {
		t.Errorf("history %+v, %v", history.Items, err)
	}
	if keys, err := s.DataKeys(ctx); err != nil || len(keys) != 1 {
		t.Errorf("%v, %v", keys, err)
	}
}

// AppendOnly is a test for engines: SQL itself cannot change what was recorded.
func AppendOnly(t *testing.T, s store.Store, exec func(query string) error, more ...string) {
	ctx := context.Background()
	must(t, s.Record(ctx, store.AuditEntry{At: day, Action: "device.update", Note: "as it was"}))
	for _, query := range append([]string{"UPDATE audit SET note = 'as it suits'", "DELETE FROM audit", "UPDATE audit SET seq = 7 WHERE seq = 1"}, more...) {
		if err := exec(query); err == nil {
			t.Errorf("%s is done", query)
		}
	}
	page, err := s.Audit(ctx, store.AuditQuery{})
	must(t, err)
	if len(page.Items) != 1 || page.Items[0].Note != "as it was" {
		t.Errorf("audit log %+v", page.Items)
	}
}

// KeepASecret stores a device with a key, and FindTheSecret looks for it.
func KeepASecret(t *testing.T, s store.Store) {
	d := testDevice(1)
	must(t, s.Devices().Create(context.Background(), &d))
	must(t, FindTheSecret(s))
}

// FindTheSecret returns the error of reading what KeepASecret has stored.
func FindTheSecret(s store.Store) error {
	_, err := s.Devices().Find(context.Background(), devEUI(1, 1))
	return err
}
