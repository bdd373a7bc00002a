package relational

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/starling-fuota/starling/internal/secret"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/lorawan"
)

// Vault seals what must not be read from a stolen database, each value under the data key of
// its subscriber and bound to its place. Data keys are rows too; they are wrapped under keys that
// are not in the database. It is safe for concurrent use.
type Vault struct {
	sealer *secret.Sealer

	mu      sync.RWMutex
	current map[string]string // subscriber -> data key to seal under; only ones whose transaction was committed
}

// NewVault returns the vault of a database whose data keys are wrapped under kek.
func NewVault(kek secret.KEK) *Vault {
	return &Vault{sealer: secret.NewSealer(kek, nil), current: map[string]string{}}
}

// seal returns the sealed form of a value; no bytes stay no bytes. q is the transaction that stores it.
func (d DB) seal(ctx context.Context, q Querier, subscriber string, plain, aad []byte) ([]byte, error) {
	if len(plain) == 0 {
		return []byte{}, nil
	}
	id, err := d.dataKey(ctx, q, subscriber)
	if err != nil {
		return nil, err
	}
	return d.Vault.sealer.Seal(id, plain, aad)
}

// dataKey returns the data key to seal values of a subscriber under, and makes the first one.
// What the transaction of q makes is known to that transaction alone until it is committed.
func (d DB) dataKey(ctx context.Context, q Querier, subscriber string) (string, error) {
	v := d.Vault
	v.mu.RLock()
	id := v.current[subscriber]
	v.mu.RUnlock()
	work := q.Work()
	if id == "" {
		id = work.dataKeys[subscriber]
	}
	if id != "" {
		return id, nil
	}
	dk, err := oneDataKey(ctx, q, "subscriber_id = ? ORDER BY created_at DESC, id DESC LIMIT 1", subscriber)
	switch {
	case err == nil:
		err = v.sealer.Open(ctx, dk)
	case errors.Is(err, store.ErrNotFound):
		dk, err = d.makeDataKey(ctx, q, subscriber)
	}
	if err != nil {
		return "", err
	}
	if work.dataKeys == nil {
		work.dataKeys = map[string]string{}
	}
	work.dataKeys[subscriber] = dk.ID
	work.Committed(func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.current[subscriber] = dk.ID
	})
	return dk.ID, nil
}

func (d DB) makeDataKey(ctx context.Context, q Querier, subscriber string) (secret.DataKey, error) {
	// Before it is wrapped, so that DataKeys waits for the row: see package secret, "Rotation".
	if err := run(ctx, q, d.WritesDataKeys); err != nil {
		return secret.DataKey{}, err
	}
	dk, err := d.Vault.sealer.NewDataKey(ctx, subscriber, time.Now().Truncate(time.Microsecond))
	if err != nil {
		return dk, err
	}
	_, err = q.Exec(ctx, "INSERT INTO data_key (id, subscriber_id, kek_id, wrapped, created_at) VALUES (?, ?, ?, ?, ?)",
		dk.ID, dk.SubscriberID, dk.KEKID, dk.Wrapped, At(dk.CreatedAt))
	return dk, err
}

// unseal returns what was sealed. q is where the value was read: its data key is there too.
func (d DB) unseal(ctx context.Context, q Querier, sealed, aad []byte) ([]byte, error) {
	v := d.Vault
	if len(sealed) == 0 {
		return nil, nil
	}
	plain, err := v.sealer.Unseal(sealed, aad)
	if !errors.Is(err, secret.ErrNoDataKey) {
		return plain, err
	}
	id, err := secret.KeyOf(sealed)
	if err != nil {
		return nil, err
	}
	dk, err := oneDataKey(ctx, q, "id = ?", id)
	if errors.Is(err, store.ErrNotFound) {
		// Not ErrNotFound: the object is there.
		return nil, fmt.Errorf("data key %s is not in the database: %w", id, secret.ErrSealed)
	}
	if err == nil {
		err = v.sealer.Open(ctx, dk)
	}
	if err != nil {
		return nil, err
	}
	return v.sealer.Unseal(sealed, aad)
}

// run runs a statement that an engine may do without.
func run(ctx context.Context, q Querier, statement string) error {
	if statement == "" {
		return nil
	}
	_, err := q.Exec(ctx, statement)
	return err
}

const dataKeyColumns = "SELECT id, subscriber_id, kek_id, wrapped, created_at FROM data_key"

func oneDataKey(ctx context.Context, q Querier, cond string, args ...any) (dk secret.DataKey, err error) {
	err = one(ctx, q, []any{&dk.ID, &dk.SubscriberID, &dk.KEKID, &dk.Wrapped, Micros{&dk.CreatedAt}}, dataKeyColumns+" WHERE "+cond, args...)
	return dk, err
}

// DataKeys returns all data keys. It waits for those that are just being made or rewrapped.
func (d DB) DataKeys(ctx context.Context) (keys []secret.DataKey, err error) {
	err = d.Write(ctx, func(q Querier) error {
		keys = nil
		if err := run(ctx, q, d.AwaitsDataKeys); err != nil {
			return err
		}
		return each(ctx, q, func(scan func(...any) error) error {
			var dk secret.DataKey
			err := scan(&dk.ID, &dk.SubscriberID, &dk.KEKID, &dk.Wrapped, Micros{&dk.CreatedAt})
			keys = append(keys, dk)
			return err
		}, dataKeyColumns+" ORDER BY subscriber_id, created_at, id")
	})
	return keys, err
}

// RewrapDataKeys wraps every data key under the primary key-encryption key.
func (d DB) RewrapDataKeys(ctx context.Context) (store.Rotation, error) {
	keys, err := d.DataKeys(ctx)
	done := store.Rotation{Total: len(keys)}
	for _, dk := range keys {
		if err != nil {
			break
		}
		changed := false
		err = d.Write(ctx, func(q Querier) error {
			changed, err = d.rewrap(ctx, q, dk.ID)
			return err
		})
		if err == nil && changed {
			done.Rewrapped++
		}
	}
	return done, err
}

// rewrap wraps one data key under the primary, in the transaction of q.
func (d DB) rewrap(ctx context.Context, q Querier, id string) (changed bool, err error) {
	if err := run(ctx, q, d.WritesDataKeys); err != nil {
		return false, err
	}
	dk, err := oneDataKey(ctx, q, "id = ?", id) // as it is now: others may be rewrapping too
	if err != nil {
		return false, fmt.Errorf("data key %s: %w", id, err)
	}
	dk, changed, err = d.Vault.sealer.Rewrap(ctx, dk)
	if err != nil || !changed {
		return false, err
	}
	_, err = q.Exec(ctx, "UPDATE data_key SET kek_id = ?, wrapped = ? WHERE id = ?", dk.KEKID, dk.Wrapped, dk.ID)
	return true, err
}

// sealed is a column whose value is sealed. No bytes stand for no value.
type sealed[T any] struct {
	column string
	plain  func(*T) []byte
	set    func(*T, []byte) error
}

// sealedKey is the column of an AES-128 key. The zero key is no value.
func sealedKey[T any](column string, of func(*T) *lorawan.AES128Key) sealed[T] {
	return sealed[T]{column,
		func(obj *T) []byte {
			if k := of(obj); !k.IsZero() {
				return k[:]
			}
			return nil
		},
		func(obj *T, plain []byte) error {
			k := of(obj)
			if len(plain) != len(k) {
				return fmt.Errorf("is of %d bytes, not %d", len(plain), len(k))
			}
			copy(k[:], plain)
			return nil
		}}
}

// sealedBytes is the column of a secret of any length.
func sealedBytes[T any](column string, of func(*T) *[]byte) sealed[T] {
	return sealed[T]{column, func(obj *T) []byte { return *of(obj) }, func(obj *T, plain []byte) error { *of(obj) = plain; return nil }}
}

// place returns what a sealed value of an object is bound to.
func (k *kind[T, K]) place(subscriber string, key K, column string) []byte {
	return secret.AAD(subscriber, k.table, k.keyText(key), column)
}

// sealAll returns the sealed secrets of an object, in the order of kind.sealed.
func (c collection[T, K]) sealAll(ctx context.Context, q Querier, subscriber string, obj *T) ([]any, error) {
	values := make([]any, len(c.sealed))
	for i, s := range c.sealed {
		v, err := c.seal(ctx, q, subscriber, s.plain(obj), c.place(subscriber, c.key(obj), s.column))
		if err != nil {
			return nil, c.about(c.key(obj), fmt.Errorf("%s: %w", s.column, err))
		}
		values[i] = v
	}
	return values, nil
}

// unsealAll sets the secrets of objects. raw has the sealed values of one object after the other.
// An object whose secret cannot be read is not given out without it: whoever stored it again
// would store it without. The error names the first one and tells how many there are.
func (c collection[T, K]) unsealAll(ctx context.Context, q Querier, objects []T, raw [][]byte) error {
	var first error
	bad := 0
	for i := range objects {
		obj := &objects[i]
		for j, s := range c.sealed {
			value := raw[i*len(c.sealed)+j]
			if len(value) == 0 {
				continue
			}
			plain, err := c.unseal(ctx, q, value, c.place(*c.common(obj).subscriber, c.key(obj), s.column))
			if err == nil {
				err = s.set(obj, plain)
			}
			if err == nil {
				continue
			}
			if bad++; first == nil {
				first = c.about(c.key(obj), fmt.Errorf("%s cannot be unsealed: %w", s.column, err))
			}
			if ctx.Err() != nil {
				return first
			}
		}
	}
	if bad > 1 {
		return fmt.Errorf("%d secrets cannot be read, the first: %w", bad, first)
	}
	return first
}
