package engine

import (
	"context"
	"time"

	"github.com/starling-fuota/starling/airtime"
)

// Crowded asks the account of a running engine.
func (e *Engine) Crowded(ctx context.Context, c airtime.Chance) (wait time.Duration, err error) {
	err = e.ask(ctx, func(context.Context) error {
		wait = e.air.Crowded(c)
		return nil
	})
	return wait, err
}
