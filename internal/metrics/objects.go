package metrics

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Count is how many objects of a kind are in a state, over all subscribers.
type Count struct {
	Kind  string // singular: device, device_set, ..., campaign, job
	State string // ACTIVE, ARCHIVED, or the state that the kind has: RUNNING, queued
	N     int64
}

// Counter counts the objects of a server. ctx has a deadline that the count must keep. Kinds
// and states that have no objects may be left out or be 0.
type Counter func(ctx context.Context) ([]Count, error)

// The kinds that have gauges of their own.
const (
	kindCampaign = "campaign"
	kindJob      = "job"
)

// Limits of counting: scrapes must not be a way to load the database.
const (
	countEvery   = 15 * time.Second
	countTimeout = 3 * time.Second
	maxCounts    = 200 // series: some 15 kinds with 7 states at most
)

// objects asks the counter when it is scraped and remembers the answer for a while. Scrapes
// at the same time wait for one count.
type objects struct {
	count Counter
	log   *slog.Logger
	now   func() time.Time

	objects, campaigns, jobs *prometheus.Desc
	failures                 prometheus.Counter

	mu      sync.Mutex
	counted time.Time // zero: never; a failed count counts too
	last    []Count   // nil if it failed: no figure is better than an old one that looks new
}

func newObjects(cfg Config) *objects {
	return &objects{
		count: cfg.Count, log: cfg.Log, now: cfg.Now,
		objects:   prometheus.NewDesc("fuota_objects", "Objects by kind and state, at most 15 seconds old.", []string{"kind", "state"}, nil),
		campaigns: prometheus.NewDesc("fuota_campaigns", "Campaigns by state, at most 15 seconds old.", []string{"state"}, nil),
		jobs:      prometheus.NewDesc("fuota_jobs", "Jobs by state, at most 15 seconds old.", []string{"state"}, nil),
		failures:  prometheus.NewCounter(prometheus.CounterOpts{Name: "fuota_object_count_failures_total", Help: "Counts of objects that failed; the gauges are missing then."}),
	}
}

// Describe implements prometheus.Collector.
func (o *objects) Describe(ch chan<- *prometheus.Desc) {
	ch <- o.objects
	ch <- o.campaigns
	ch <- o.jobs
	o.failures.Describe(ch)
}

// Collect implements prometheus.Collector.
func (o *objects) Collect(ch chan<- prometheus.Metric) {
	for _, c := range o.recent() {
		gauge := func(d *prometheus.Desc, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(c.N), labels...)
		}
		if c.Kind == kindJob { // work, not an object
			gauge(o.jobs, c.State)
			continue
		}
		gauge(o.objects, c.Kind, c.State)
		if c.Kind == kindCampaign {
			gauge(o.campaigns, c.State)
		}
	}
	o.failures.Collect(ch)
}

// recent returns the last count, after counting anew if that is old.
func (o *objects) recent() []Count {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.counted.IsZero() && o.now().Sub(o.counted) < countEvery {
		return o.last
	}
	ctx, cancel := context.WithTimeout(context.Background(), countTimeout)
	defer cancel()
	counts, err := o.count(ctx)
	// From the end: a count that takes long is not followed by the next at once.
	o.counted, o.last = o.now(), nil
	if err != nil {
		o.failures.Inc()
		o.log.Warn("objects were not counted for the metrics", "error", err)
		return nil
	}
	o.last = bounded(counts)
	return o.last
}

// bounded sorts counts, adds up those with equal labels and puts the ones beyond
// maxCounts together: a series must not come twice, nor too many of them.
func bounded(counts []Count) []Count {
	kinds, states := newWords(maxCounts), newWords(maxCounts)
	sum := map[Count]int64{}
	for _, c := range counts {
		labels := Count{Kind: kinds.value(c.Kind), State: states.value(c.State)}
		if _, known := sum[labels]; !known && len(sum) >= maxCounts-1 {
			labels = Count{Kind: other, State: other}
		}
		sum[labels] += c.N
	}
	all := make([]Count, 0, len(sum))
	for c, n := range sum {
		c.N = n
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Count) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.State, b.State)) })
	return all
}
