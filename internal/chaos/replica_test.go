package chaos_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/rpc"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/starling-fuota/starling/campaign"
	"github.com/starling-fuota/starling/internal/engine"
	"github.com/starling-fuota/starling/internal/identity"
	"github.com/starling-fuota/starling/internal/secret"
	"github.com/starling-fuota/starling/internal/service"
	"github.com/starling-fuota/starling/internal/store"
	"github.com/starling-fuota/starling/internal/store/postgres"
	"github.com/starling-fuota/starling/internal/store/postgres/pgtest"
	"github.com/starling-fuota/starling/internal/store/sqlite"
)

// orders to a replica process, in its environment.
const replicaVariable = "STARLING_CHAOS_REPLICA"

// TestMain makes a replica of this program if it is told to.
func TestMain(m *testing.M) {
	if raw := os.Getenv(replicaVariable); raw != "" {
		var cfg replicaConfig
		err := json.Unmarshal([]byte(raw), &cfg)
		if err == nil {
			err = cfg.run()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	pgtest.Main(m)
}

// replicaConfig is what a replica process is told.
type replicaConfig struct {
	Name     string
	Socket   string        // of the hub
	SQLite   string        // file; "": PostgreSQL
	Postgres string        // URL
	TTL      time.Duration // of its lease; 0: it is alone
	Lazy     bool          // commits wait for more events, as on a network that has some at hand always
}

func testKEK() secret.KEK {
	kek, err := secret.FromEnvironment("test:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("test"), 8)))
	if err != nil {
		panic(err) // the line above is wrong
	}
	return kek
}

func (cfg replicaConfig) open(ctx context.Context) (store.Store, error) {
	if cfg.SQLite != "" {
		return sqlite.Open(ctx, cfg.SQLite, testKEK(), sqlite.Unsynced()) // no power is lost here
	}
	return postgres.Open(ctx, cfg.Postgres+"&application_name=starling-"+cfg.Name, testKEK())
}

// run is the life of a replica, wired as "starling serve" does.
func (cfg replicaConfig) run() (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("replica", cfg.Name)
	db, err := cfg.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := dial(cfg.Socket, hello{Name: cfg.Name})
	if err != nil {
		return err
	}
	net, err := newAir(conn, cfg.Lazy)
	if err != nil {
		return err
	}
	var lease *engine.Lease
	if cfg.TTL > 0 {
		lease = &engine.Lease{TTL: cfg.TTL, Name: cfg.Name}
	}
	eng := engine.New(engine.Config{Store: db, Adapter: net, Source: net, Log: log, Lease: lease})
	orders, err := dial(cfg.Socket, hello{Name: cfg.Name, Order: true})
	if err != nil {
		return err
	}
	server := rpc.NewServer()
	if err := server.Register(&OrderService{service.New(service.Config{Store: db, Runner: eng, Now: net.Now}), db}); err != nil {
		return err
	}
	go server.ServeConn(orders)
	err = eng.Run(ctx)
	log.Info("ended", "err", err)
	return err
}

// OrderService is the service of a replica.
type OrderService struct {
	use   *service.Service
	store store.Store
}

// Order is what a person wants of a campaign.
type Order struct{ Name, CampaignID string }

// Give carries an order out.
func (o *OrderService) Give(q Order, _ *Nothing) (err error) {
	ctx := service.As(context.Background(), identity.System(""))
	switch q.Name {
	case "start":
		_, err = o.use.Start(ctx, q.CampaignID)
	case "stop":
		_, err = o.use.Stop(ctx, q.CampaignID)
	case "pause":
		_, err = o.use.Pause(ctx, q.CampaignID)
	case "resume":
		_, err = o.use.Resume(ctx, q.CampaignID)
	}
	var refused *campaign.RefusedError
	if errors.Is(err, service.ErrState) || errors.As(err, &refused) {
		return nil // it has ended meanwhile
	}
	return err
}

// Over tells if a campaign has ended and nothing is left to do for it.
func (o *OrderService) Over(campaignID string, over *bool) error {
	ctx := context.Background()
	c, err := o.store.Campaigns().Find(ctx, campaignID)
	if err != nil || !c.Status.Ended() {
		return err
	}
	active, err := o.store.ActiveRuns(ctx)
	*over = err == nil && len(active) == 0
	return err
}
