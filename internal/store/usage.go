package store

import (
	"context"
	"time"
)

// Usages counts what the usage reports and the metrics are about. It counts in the engine, over
// all subscribers or one: no object leaves it. Archived objects count like any other, because
// what was used was used.
type Usages interface {
	// GeneralUsage returns what each subscriber used in a time, ordered by subscriber. Those that
	// were made after that time and used nothing are left out.
	GeneralUsage(ctx context.Context, q UsageQuery) ([]GeneralUsage, error)

	// SmartDeltaUsage returns how the devices of each profile were updated in a time, ordered by
	// subscriber and profile. Profiles none of whose devices took part in a campaign are left out.
	SmartDeltaUsage(ctx context.Context, q UsageQuery) ([]SmartDeltaUsage, error)

	// FirstActivity returns when the first campaign was started or the first entry of the
	// audit log was made, whichever was earlier; zero if nobody has done anything yet.
	FirstActivity(ctx context.Context) (time.Time, error)

	// CountObjects counts the objects of every kind by state, over all subscribers, ordered by
	// kind and state. States without objects are left out.
	CountObjects(ctx context.Context) ([]ObjectCount, error)
}

// UsageQuery says what a usage report counts. A campaign counts in the time in which it ended:
// only then is it known who passed, and nothing changes that any more.
type UsageQuery struct {
	SubscriberID string    // only this one; "": all
	From, Until  time.Time // of campaigns that ended at or after, and before
	Passed       string    // outcome of a device that passed, as in Row.Outcome
}

// GeneralUsage is what one subscriber used.
type GeneralUsage struct {
	SubscriberID string
	Devices      int // made before the end of the time, archived or not
	Campaigns    int // ended in the time, whatever their end was like
	// Devices that passed a campaign of each type. A device counts once in each, however many it passed.
	MCGroup, Binary, FOTA int
}

// SmartDeltaUsage is how the devices of one profile got new firmware.
type SmartDeltaUsage struct {
	SubscriberID string
	ProfileID    string // that devices have when they are counted; "": none
	Devices      int    // that passed at least one FOTA campaign
	FullImage    int    // FOTA campaigns in which devices of the profile took part, by what they sent
	Delta        int
}

// ObjectCount is a number of objects.
type ObjectCount struct {
	Kind  Kind
	State string // ACTIVE or ARCHIVED; the status of campaigns that are not archived; the state of jobs
	N     int64
}

// Partial reports whether the report was made before its month was over, so that it does not
// tell all of it. One whose month cannot be read counts as partial.
func (r Report) Partial() bool {
	begin, err := time.Parse(MonthLayout, r.Month)
	return err != nil || r.CreatedAt.Before(begin.AddDate(0, 1, 0))
}

// MonthLayout is how months are written, for package time.
const MonthLayout = "2006-01"
