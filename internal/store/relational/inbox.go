package relational

import (
	"context"
	"errors"
	"time"

	"github.com/starling-fuota/starling/internal/store"
)

// InboxOpen is the query for the campaigns that letters may be sent to.
const InboxOpen = "SELECT run.campaign_id " + activeRuns

// Letters returns the oldest letters to a campaign.
func (d DB) Letters(ctx context.Context, campaignID string, limit int) (letters []store.Letter, err error) {
	err = each(ctx, d.Reader, func(scan func(...any) error) error {
		l := store.Letter{CampaignID: campaignID}
		err := scan(&l.Seq, &l.Body)
		letters = append(letters, l)
		return err
	}, "SELECT seq, body FROM inbox WHERE campaign_id = ? AND replied = 0 ORDER BY seq LIMIT ?", campaignID, int64(limit))
	return letters, err
}

// Reply returns the reply to a letter.
func (d DB) Reply(ctx context.Context, seq int64) (reply []byte, waiting bool, err error) {
	var at int64
	err = one(ctx, d.Reader, []any{&at, &reply}, "SELECT replied, body FROM inbox WHERE seq = ?", seq)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case at == 0:
		return nil, true, nil
	}
	return reply, false, d.Once(ctx, func(q Querier) error {
		_, err := q.Exec(ctx, "DELETE FROM inbox WHERE seq = ?", seq)
		return err
	})
}

// replyLife is how long a reply waits for who asked.
const replyLife = 5 * time.Minute

// dropLetters forgets what nobody will read: letters to campaigns that ended while they were posted, and
// replies that nobody asks for.
func (d DB) dropLetters(ctx context.Context, q Querier) error {
	_, err := q.Exec(ctx, "DELETE FROM inbox WHERE replied = 0 AND campaign_id NOT IN ("+InboxOpen+") OR replied > 0 AND replied < "+d.Clock+" - ?", replyLife.Microseconds())
	return err
}
