package fleet_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/starling-fuota/starling/fleet"
)

func TestFormatsAreToldByTheirFirstBytes(t *testing.T) {
	for _, tc := range []struct {
		content     string
		want        string
		installable bool
	}{
		{"", "bin", true},
		{"\x00\x40\x00\x20\x01\x02\x03\x08", "bin", true},
		{"\x7fELF\x01\x01\x01", "elf", false},
		{"\x7fEL", "bin", true},
		{":020000040800F2\r\n:10000000...", "hex", false},
		{":020000040800F2", "hex", false},
		{":020000040800F", "bin", true},
		{": not a record, but a text", "bin", true},
		{"S00600004844521B\n", "srec", false},
		{"Sx0600004844521B\n", "bin", true},
		{"UF2\nWQ]\x9e", "uf2", false},
		{"UF2\nbut no second number", "bin", true},
		{"\x3d\xb8\xf3\x96\x00", "mcuboot", true},
		{"PK\x03\x04", "zip", true},
		{":" + strings.Repeat("0", 1000), "bin", true}, // no line of a HEX file is that long
	} {
		f := fleet.DetectFormat([]byte(tc.content))
		if f.String() != tc.want || f.Installable() != tc.installable {
			t.Errorf("%.20q is %v, installable %v", tc.content, f, f.Installable())
		}
		if again, err := fleet.ParseImageFormat(f.String()); err != nil || again != f || f.About() == "" {
			t.Errorf("%v reads as %v, %v", f, again, err)
		}
	}
	if !fleet.UnknownImage.Installable() || fleet.UnknownImage.String() != "" {
		t.Error("a file without content is not refused for its format")
	}
}

func TestWarningsSayWhatWhyAndWhatToDo(t *testing.T) {
	for _, tc := range []struct {
		format fleet.ImageFormat
		kind   fleet.FileType
		code   string
	}{
		{fleet.UnknownImage, fleet.FirmwareFile, ""},
		{fleet.BinaryImage, fleet.FirmwareFile, ""},
		{fleet.MCUbootImage, fleet.FirmwareFile, ""},
		{fleet.ELFImage, fleet.FirmwareFile, fleet.WarnNotInstallable},
		{fleet.IntelHexImage, fleet.DeltaFile, fleet.WarnNotInstallable},
		{fleet.SRecordImage, fleet.BinaryFile, fleet.WarnNotInstallable},
		{fleet.UF2Image, fleet.FirmwareFile, fleet.WarnNotInstallable},
		{fleet.ZipImage, fleet.FirmwareFile, fleet.WarnArchive},
		{fleet.ZipImage, fleet.BinaryFile, ""}, // devices that are sent files may well unpack them
	} {
		warnings := fleet.File{Format: tc.format, Type: tc.kind}.Warnings()
		if (tc.code == "") != (len(warnings) == 0) {
			t.Fatalf("%v %v: %v", tc.format, tc.kind, warnings)
		}
		for _, w := range warnings {
			if w.Code != tc.code || w.What == "" || w.Why == "" || w.Hint == "" {
				t.Errorf("%v %v: %+v", tc.format, tc.kind, w)
			}
		}
	}
}

func TestDescriptorTemplates(t *testing.T) {
	file := fleet.File{Version: fleet.MustParseFirmware("1.2.3.4"), Size: 0x0506}
	for text, want := range map[string][4]byte{
		"": {1, 2, 3, 4}, "version-le": {1, 2, 3, 4}, "Version-BE": {4, 3, 2, 1}, "size-le": {6, 5, 0, 0}, "0a0b0c0d": {10, 11, 12, 13}, "00000000": {},
	} {
		template, err := fleet.ParseDescriptorTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		p := fleet.DeviceProfile{Descriptor: template}
		if got := p.WireDescriptor(file); got != want {
			t.Errorf("%q makes %x, want %x", text, got, want)
		}
		own := file
		own.Descriptor = [4]byte{9, 9, 9, 9}
		if got := p.WireDescriptor(own); got != own.Descriptor {
			t.Errorf("%q wins over the file's own: %x", text, got)
		}
		b, err := json.Marshal(p)
		var back fleet.DeviceProfile
		if err != nil || json.Unmarshal(b, &back) != nil || back.Descriptor != template || strings.Contains(string(b), "descriptor") == template.IsZero() {
			t.Errorf("%q: %s", text, b)
		}
	}
	for _, text := range []string{"version", "0a0b0c", "0a0b0c0d0e", "0x0a0b0c0d", "{version}"} {
		if _, err := fleet.ParseDescriptorTemplate(text); !errors.Is(err, fleet.ErrText) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
