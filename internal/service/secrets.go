package service

import (
	"context"

	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/store"
)

// Rotation rotates the key that the keys of a store are wrapped under: the wiring gives it,
// because how it is done depends on where that key is.
type Rotation interface {
	// Status returns how many data keys are wrapped under each key-encryption key, the
	// primary first.
	Status(ctx context.Context) (SecretStatus, error)

	// Rotate makes a new primary key-encryption key, if the place of it can, wraps all data
	// keys under it, and removes those that nothing is wrapped under. After any
	// interruption it is called again, and goes on.
	Rotate(ctx context.Context, report func(done, total int) error) (SecretStatus, error)
}

// SecretStatus says what protects the keys in the store. It holds identifiers, and no keys.
type SecretStatus struct {
	Primary string         `json:"primary"`
	KEKs    []string       `json:"keks"`
	Wrapped map[string]int `json:"wrapped"` // data keys by key-encryption key
}

// Secrets returns what protects the keys in the store.
func (s *Service) Secrets(ctx context.Context) (SecretStatus, error) {
	if _, err := may(ctx, identity.ManageServer); err != nil {
		return SecretStatus{}, err
	}
	return s.rotation.Status(ctx)
}

// RotateSecrets starts a job that protects all keys in the store by a new key-encryption key.
// Everything goes on meanwhile.
func (s *Service) RotateSecrets(ctx context.Context) (job store.Job, err error) {
	err = s.change(ctx, identity.ManageServer, func(c *changes) error {
		c.actor.SubscriberID = "" // it is the server's
		job, err = s.enqueue(ctx, c, jobRotateSecrets, struct{}{})
		return err
	})
	s.wake()
	return job, err
}

func rotateSecrets(ctx context.Context, s *Service, j *task) (any, error) {
	return s.rotation.Rotate(ctx, j.report)
}
