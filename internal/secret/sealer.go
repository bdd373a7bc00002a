package secret

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

const (
	sealFormat  = 1
	sealHeader  = 1 + len(uuid.UUID{}) // format, data key id
	sealMinimum = sealHeader + overhead

	dataKeyFormat = 1
	dataKeySize   = 1 + keySize + sha256.Size // format, key, what it belongs to
)

// DataKey is the key of one subscriber as it is stored: wrapped. It can be logged.
type DataKey struct {
	ID           string    `json:"id"`            // UUID, lower case
	SubscriberID string    `json:"subscriber_id"` // whose values it seals; "" for the server's own
	KEKID        string    `json:"kek_id"`        // what it is wrapped under
	Wrapped      []byte    `json:"-"`             // from KEK.Wrap
	CreatedAt    time.Time `json:"created_at"`    // UTC
}

// String names the key and what it is wrapped under.
func (dk DataKey) String() string {
	return fmt.Sprintf("data key %s of subscriber %q under %s", dk.ID, dk.SubscriberID, dk.KEKID)
}

// Format prints String under every verb: wrapped bytes are noise in a log.
func (dk DataKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, dk.String()) }

// Sealer seals and unseals values under data keys. It keeps the data keys that were opened, as
// ciphers, until it is dropped: the KEK is asked once for each. It is safe for concurrent use.
type Sealer struct {
	kek KEK

	mu   sync.RWMutex
	rand io.Reader // read under mu
	open map[uuid.UUID]*openKey
}

// openKey is a data key that is ready for use.
type openKey struct {
	subscriberID string
	box          *box
}

// NewSealer returns a Sealer without data keys. It takes data keys and their ids from random,
// nil meaning crypto/rand; nonces are always from crypto/rand.
func NewSealer(kek KEK, random io.Reader) *Sealer {
	if random == nil {
		random = rand.Reader
	}
	return &Sealer{kek: kek, rand: random, open: make(map[uuid.UUID]*openKey)}
}

// NewDataKey makes a data key for a subscriber and opens it. Store it, in the transaction that
// called and before or with the first value that is sealed under it: without it the value is lost.
func (s *Sealer) NewDataKey(ctx context.Context, subscriberID string, now time.Time) (DataKey, error) {
	id, k, err := s.draw()
	if err != nil {
		return DataKey{}, fmt.Errorf("data key for subscriber %q: %w", subscriberID, err)
	}
	dk := DataKey{ID: id.String(), SubscriberID: subscriberID, CreatedAt: now.UTC()}
	payload := dk.payload(k)
	defer clear(payload)
	if dk.KEKID, dk.Wrapped, err = s.wrap(ctx, payload); err != nil {
		return DataKey{}, fmt.Errorf("data key for subscriber %q: %w", subscriberID, err)
	}
	s.keep(id, subscriberID, k)
	return dk, nil
}

// Open makes a stored data key ready for Seal and Unseal. It asks the KEK the first
// time only. It returns ErrUnknownKEK when the KEK is not there, and ErrSealed when dk is not
// what NewDataKey or Rewrap made, for this id and this subscriber.
func (s *Sealer) Open(ctx context.Context, dk DataKey) error {
	id, ok := parseID(dk.ID)
	if !ok {
		return fmt.Errorf("data key %.40q: the id is not a UUID in lower case: %w", dk.ID, ErrSealed)
	}
	if o := s.find(id); o != nil {
		if o.subscriberID != dk.SubscriberID {
			return fmt.Errorf("data key %s belongs to subscriber %q, not %q: %w", dk.ID, o.subscriberID, dk.SubscriberID, ErrSealed)
		}
		return nil
	}
	payload, err := s.unwrap(ctx, dk)
	if err != nil {
		return err
	}
	defer clear(payload)
	s.keep(id, dk.SubscriberID, key(payload[1:1+keySize]))
	return nil
}

// Rewrap wraps a data key under the primary. changed is false, and dk as it was, if it
// already is. Values that are sealed under it stay good, and so does what is open. It
// returns the errors of Open.
func (s *Sealer) Rewrap(ctx context.Context, dk DataKey) (rewrapped DataKey, changed bool, err error) {
	primary, err := s.kek.Primary(ctx)
	if err != nil {
		return dk, false, fmt.Errorf("data key %s: %w", dk.ID, err)
	}
	if dk.KEKID == primary {
		return dk, false, nil
	}
	payload, err := s.unwrap(ctx, dk)
	if err != nil {
		return dk, false, err
	}
	defer clear(payload)
	rewrapped = dk
	if rewrapped.KEKID, rewrapped.Wrapped, err = s.wrap(ctx, payload); err != nil {
		return dk, false, fmt.Errorf("data key %s: %w", dk.ID, err)
	}
	return rewrapped, true, nil
}

// Seal encrypts plain, which may be empty, under an open data key and binds it to aad (see AAD). The result is
// 45 bytes longer than plain. It returns ErrNoDataKey when the data key is not open.
func (s *Sealer) Seal(dataKeyID string, plain, aad []byte) ([]byte, error) {
	id, ok := parseID(dataKeyID)
	var o *openKey
	if ok {
		o = s.find(id)
	}
	if o == nil {
		return nil, fmt.Errorf("seal under data key %.40q: %w", dataKeyID, ErrNoDataKey)
	}
	sealed := make([]byte, 0, sealMinimum+len(plain))
	sealed = append(append(sealed, sealFormat), id[:]...)
	return o.box.append(sealed, plain, boundTo(sealed, aad)), nil
}

// Unseal returns what was sealed, never nil. It returns ErrSealed when sealed is not what Seal
// made for aad, and ErrNoDataKey when its data key is not open: load the one of KeyOf, and repeat.
func (s *Sealer) Unseal(sealed, aad []byte) ([]byte, error) {
	id, err := keyOf(sealed)
	if err != nil {
		return nil, err
	}
	o := s.find(id)
	if o == nil {
		return nil, fmt.Errorf("unseal under data key %s: %w", id, ErrNoDataKey)
	}
	plain, ok := o.box.open(sealed[sealHeader:], boundTo(sealed[:sealHeader], aad))
	if !ok {
		return nil, fmt.Errorf("%d bytes under data key %s: %w", len(sealed), id, ErrSealed)
	}
	return plain, nil
}

// KeyOf returns the id of the data key that a value says it is sealed under, or ErrSealed.
// Nothing vouches for the id before Unseal has.
func KeyOf(sealed []byte) (dataKeyID string, err error) {
	id, err := keyOf(sealed)
	if err != nil {
		return "", err
	}
	return id.String(), nil
}

func keyOf(sealed []byte) (uuid.UUID, error) {
	if len(sealed) < sealMinimum {
		return uuid.UUID{}, fmt.Errorf("%d bytes, a sealed value has %d or more: %w", len(sealed), sealMinimum, ErrSealed)
	}
	if sealed[0] != sealFormat {
		return uuid.UUID{}, fmt.Errorf("sealed value of format %d, this program reads %d: %w", sealed[0], sealFormat, ErrSealed)
	}
	return uuid.UUID(sealed[1:sealHeader]), nil
}

// boundTo returns the data that the tag covers beside the ciphertext. With the header in
// it, a later format cannot be passed off as this one.
func boundTo(header, aad []byte) []byte {
	return append(append(make([]byte, 0, len(header)+len(aad)), header...), aad...)
}

// payload returns what is wrapped: format, key, and a hash that binds it to the data key's
// id and subscriber. The binding is in the plain text because not every KMS takes additional data.
func (dk DataKey) payload(k key) []byte {
	owner := sha256.Sum256(AAD("starling data key", dk.ID, dk.SubscriberID))
	b := make([]byte, 0, dataKeySize)
	b = append(b, dataKeyFormat)
	b = append(b, k[:]...)
	return append(b, owner[:]...)
}

// wrap wraps a payload and proves that it can be unwrapped again: with a KMS, encrypting may be
// allowed where decrypting is not, and the row that is overwritten next may be the last good one.
func (s *Sealer) wrap(ctx context.Context, payload []byte) (string, []byte, error) {
	kekID, wrapped, err := s.kek.Wrap(ctx, payload)
	if err != nil {
		return "", nil, fmt.Errorf("wrap: %w", err)
	}
	back, err := s.kek.Unwrap(ctx, kekID, wrapped)
	if err != nil {
		return "", nil, fmt.Errorf("unwrap what was just wrapped under key %s: %w", kekID, err)
	}
	defer clear(back)
	if subtle.ConstantTimeCompare(back, payload) != 1 {
		return "", nil, fmt.Errorf("key %s does not give back what was wrapped under it: %w", kekID, ErrSealed)
	}
	return kekID, wrapped, nil
}

// unwrap returns the payload of a data key, which belongs to its id and subscriber.
func (s *Sealer) unwrap(ctx context.Context, dk DataKey) ([]byte, error) {
	payload, err := s.kek.Unwrap(ctx, dk.KEKID, dk.Wrapped)
	if err != nil {
		return nil, fmt.Errorf("data key %s: %w", dk.ID, err)
	}
	if len(payload) == dataKeySize && payload[0] == dataKeyFormat {
		want := dk.payload(key(payload[1 : 1+keySize]))
		defer clear(want)
		if subtle.ConstantTimeCompare(payload, want) == 1 {
			return payload, nil
		}
	}
	clear(payload)
	return nil, fmt.Errorf("data key %s was not made for subscriber %q: %w", dk.ID, dk.SubscriberID, ErrSealed)
}

// draw returns a random id and key.
func (s *Sealer) draw() (uuid.UUID, key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, err := uuid.NewRandomFromReader(s.rand)
	if err != nil {
		return uuid.UUID{}, key{}, fmt.Errorf("random id: %w", err)
	}
	k, err := newKey(s.rand)
	return id, k, err
}

func (s *Sealer) find(id uuid.UUID) *openKey {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.open[id]
}

func (s *Sealer) keep(id uuid.UUID, subscriberID string, k key) {
	o := &openKey{subscriberID, newBox(k)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[id] = o
}

// parseID accepts the one spelling that KeyOf gives back, so that ids compare as text.
func parseID(s string) (uuid.UUID, bool) {
	if len(s) != 36 || strings.ContainsAny(s, "ABCDEF") {
		return uuid.UUID{}, false
	}
	id, err := uuid.Parse(s)
	return id, err == nil
}

// String returns "sealer".
func (s *Sealer) String() string { return "sealer" }

// Format prints String under every verb: what is in it are keys.
func (s *Sealer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns String, for logs in JSON.
func (s *Sealer) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
