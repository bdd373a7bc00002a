package api

import (
	"context"
	"encoding/pem"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// secretOutput is an answer that nobody on the way may keep.
type secretOutput[D any] struct {
	CacheControl string `header:"Cache-Control"`
	Body         D
}

// EUIInput names a device or a multicast group.
type EUIInput struct {
	ID string `path:"id" maxLength:"64" pattern:"^[0-9A-Za-z_-]+$" doc:"DevEUI, 16 hexadecimal digits"`
}

// eui returns the identifier; what cannot be one identifies nothing.
func (in *EUIInput) eui() (lorawan.EUI64, error) {
	e, err := lorawan.ParseEUI64(in.ID)
	if err != nil {
		err = store.ErrNotFound
	}
	return e, err
}

type deviceKeys struct {
	RootKey string `json:"root_key" pattern:"^([0-9a-f]{32})?$" doc:"GenAppKey (LoRaWAN 1.0) or AppKey (1.1); empty: none is stored"`
}

type groupKeys struct {
	McKey     string `json:"mc_key" pattern:"^[0-9a-f]{32}$"`
	McAppSKey string `json:"mc_app_s_key" pattern:"^[0-9a-f]{32}$" doc:"Follows from mc_key and mc_addr"`
	McNwkSKey string `json:"mc_nwk_s_key" pattern:"^[0-9a-f]{32}$" doc:"Follows from mc_key and mc_addr"`
}

type privateKey struct {
	PrivateKey string `json:"private_key" doc:"P-256, PKCS#8 in PEM"`
}

// keys registers what shows keys in clear.
func (a *api) keys() {
	s := a.Service
	const recorded = "That somebody saw them is in the audit log."
	register(a, identity.RevealKeys, huma.Operation{OperationID: "reveal-device-keys", Method: http.MethodGet, Path: "/devices/{id}/keys", Tags: []string{"devices"},
		Summary: "Show the keys of a device in clear", Description: recorded},
		func(ctx context.Context, in *EUIInput) (*secretOutput[deviceKeys], error) {
			e, err := in.eui()
			if err != nil {
				return nil, err
			}
			key, err := s.DeviceKey(ctx, e)
			out := &secretOutput[deviceKeys]{CacheControl: "no-store"}
			if !key.IsZero() {
				out.Body.RootKey = key.Hex()
			}
			return out, err
		})
	register(a, identity.RevealKeys, huma.Operation{OperationID: "reveal-multicast-group-keys", Method: http.MethodGet, Path: "/multicast-groups/{id}/keys",
		Tags: []string{"multicast-groups"}, Summary: "Show the keys of a multicast group in clear", Description: recorded},
		func(ctx context.Context, in *EUIInput) (*secretOutput[groupKeys], error) {
			e, err := in.eui()
			if err != nil {
				return nil, err
			}
			k, err := s.GroupKeys(ctx, e)
			return &secretOutput[groupKeys]{"no-store", groupKeys{k.McKey.Hex(), k.AppSKey.Hex(), k.NwkSKey.Hex()}}, err
		})
	register(a, identity.RevealKeys, huma.Operation{OperationID: "reveal-smart-delta-key", Method: http.MethodGet, Path: "/smart-delta-keys/{id}/keys",
		Tags: []string{"smart-delta-keys"}, Summary: "Show the private half of a smart delta key", Description: recorded},
		func(ctx context.Context, in *KeyInput) (*secretOutput[privateKey], error) {
			der, err := s.PrivateKey(ctx, in.ID)
			return &secretOutput[privateKey]{"no-store", privateKey{string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}}, err
		})
}

type historyInput struct {
	EUIInput
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" maxLength:"2000" doc:"next_cursor of the page before"`
}

// ran is a store.FirmwareEntry in JSON.
type ran struct {
	Firmware   string    `json:"firmware"`
	At         time.Time `json:"at" doc:"When it was reported or recorded"`
	CampaignID string    `json:"campaign_id,omitempty" doc:"In which it was reported"`
}

// history registers what devices ran.
func (a *api) history() {
	register(a, identity.ReadFleet, huma.Operation{OperationID: "list-firmware-history", Method: http.MethodGet, Path: "/devices/{id}/firmware-history",
		Tags: []string{"devices"}, Summary: "List what a device ran, the newest first"},
		func(ctx context.Context, in *historyInput) (*listOutput[ran], error) {
			e, err := in.eui()
			if err != nil {
				return nil, err
			}
			page, err := a.Service.FirmwareHistory(ctx, e, store.HistoryQuery{After: in.Cursor, Limit: in.Limit})
			return &listOutput[ran]{list[ran]{Items: each(page.Items, func(f store.FirmwareEntry) ran { return ran{f.Version.String(), f.At, f.CampaignID} }), NextCursor: page.Next}}, err
		})
}
