package credential_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/credential"
	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/local"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// counted counts the reads of a table, and fails them or its writes as told.
type counted struct {
	table.Table
	queries  atomic.Int64
	refuse   atomic.Bool
	loseNext atomic.Bool // the next write is done, and its answer lost
}

func (c *counted) Query(ctx context.Context, pk, prefix, start string, limit int) (table.Page, error) {
	c.queries.Add(1)
	if c.refuse.Load() {
		return table.Page{}, table.ErrUnavailable
	}
	return c.Table.Query(ctx, pk, prefix, start, limit)
}

func (c *counted) Write(ctx context.Context, w table.Write) error {
	if c.refuse.Load() {
		return table.ErrUnavailable
	}
	err := c.Table.Write(ctx, w)
	if c.loseNext.CompareAndSwap(true, false) {
		return table.ErrUnknown
	}
	return err
}

// regions opens the same table as two regions see it.
func regions(t *testing.T) (east, west *counted) {
	t.Helper()
	o := local.DefaultOptions("", "us-east-1", "us-west-2")
	o.InMemory = true
	s, err := local.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &counted{Table: s.Region("us-east-1")}, &counted{Table: s.Region("us-west-2")}
}

func keyring(t *testing.T, region beat.Region, tab table.Table, static ...credential.Static) *credential.Keyring {
	t.Helper()
	o := credential.DefaultOptions()
	o.Region, o.Table, o.Static = region, tab, static
	k, err := credential.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func loaded(t *testing.T, region beat.Region, tab table.Table, static ...credential.Static) *credential.Keyring {
	t.Helper()
	k := keyring(t, region, tab, static...)
	if err := k.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return k
}

func request(store beat.StoreID, roles ...credential.Role) credential.Request {
	return credential.Request{Name: "test", Roles: roles, Store: store}
}

func create(t *testing.T, k *credential.Keyring, r credential.Request) (credential.Key, string) {
	t.Helper()
	key, text, err := k.Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return key, text
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func TestGrantOfEachRole(t *testing.T) {
	east, _ := regions(t)
	k := loaded(t, "us-east-1", east)
	for name, c := range map[string]struct {
		ask                      credential.Request
		demo, other, read, admin bool
	}{
		"a store's key beats for that store":          {request("demo", credential.Beat), true, false, false, false},
		"a fleet's key beats for every store":         {request("", credential.Beat), true, true, false, false},
		"a reader reads and cannot beat":              {request("", credential.Read), false, false, true, false},
		"an admin reads and cannot beat":              {request("", credential.Admin), false, false, true, true},
		"a key of two roles has both":                 {request("", credential.Beat, credential.Read), true, true, true, false},
		"a store's key of all roles is of that store": {request("demo", credential.Beat, credential.Admin), true, false, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			key, text := create(t, k, c.ask)
			g, err := k.Grant(t.Context(), text)
			if err != nil {
				t.Fatal(err)
			}
			if g.MayBeat("demo") != c.demo || g.MayBeat("other") != c.other || g.Read != c.read || g.Admin != c.admin {
				t.Fatalf("got %+v", g)
			}
			if g.Read && g.Store != c.ask.Store || g.Key != key.ID {
				t.Fatalf("got %+v of key %s", g, key.ID)
			}
		})
	}
}

func TestCreateRefuses(t *testing.T) {
	east, _ := regions(t)
	k := loaded(t, "us-east-1", east)
	for name, r := range map[string]credential.Request{
		"a key for nothing":            request(""),
		"an unknown role":              request("", "root"),
		"a role twice":                 request("", credential.Beat, credential.Beat),
		"a relay that reads":           request("demo", credential.Relay, credential.Read),
		"a store that is none":         request("De mo", credential.Beat),
		"a relay that is none":         {Roles: []credential.Role{credential.Relay}, Store: "demo", Relay: "A B"},
		"a relay of no store":          {Roles: []credential.Role{credential.Relay}, Relay: "r1"},
		"a relay's name on a beat key": {Roles: []credential.Role{credential.Beat}, Store: "demo", Relay: "r1"},
		"a name with a line break":     {Name: "a\nb", Roles: []credential.Role{credential.Beat}},
		"a name of more than 64 bytes": {Name: strings.Repeat("x", 65), Roles: []credential.Role{credential.Beat}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, text, err := k.Create(t.Context(), r); !errors.Is(err, credential.ErrInvalid) || text != "" {
				t.Fatalf("got %v, want ErrInvalid", err)
			}
		})
	}
	if n := len(k.List()); n != 0 {
		t.Fatalf("%d keys were made", n)
	}
}

func TestLogin(t *testing.T) {
	east, _ := regions(t)
	k := loaded(t, "us-east-1", east,
		credential.Static{Text: "fleet-password", Request: request("", credential.Relay)})
	_, one := create(t, k, credential.Request{Roles: []credential.Role{credential.Relay}, Store: "demo", Relay: "r1"})
	_, store := create(t, k, request("demo", credential.Relay))
	_, httpKey := create(t, k, request("demo", credential.Beat))
	for name, c := range map[string]struct {
		user, password string
		ok             bool
	}{
		"a relay logs in with its own password":       {"demo/r1", one, true},
		"its password is not another relay's":         {"demo/r2", one, false},
		"nor another store's":                         {"other/r1", one, false},
		"a store's password is each of its relays'":   {"demo/r2", store, true},
		"and no other store's":                        {"other/r2", store, false},
		"the fleet's password is everybody's":         {"other/r9", "fleet-password", true},
		"a beat key is no password":                   {"demo/r1", httpKey, false},
		"an empty password opens nothing":             {"demo/r1", "", false},
		"a wrong password opens nothing":              {"demo/r1", one + "x", false},
		"the fleet's user is no relay":                {"*", "fleet-password", false},
		"a user without a relay is no relay":          {"demo", store, false},
		"a user with a third part is no relay":        {"demo/r1/x", store, false},
		"a user with a wildcard is no relay":          {"demo/+", store, false},
		"a password of a megabyte is not even hashed": {"demo/r1", strings.Repeat("x", 1<<20), false},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := k.Login(t.Context(), c.user, []byte(c.password))
			if c.ok && (err != nil || l.ID.String() != c.user || !k.Live(l.Key)) {
				t.Fatalf("got %+v, %v", l, err)
			}
			if !c.ok && !errors.Is(err, credential.ErrForbidden) {
				t.Fatalf("got %+v, %v, want ErrForbidden", l, err)
			}
		})
	}
	if _, err := k.Grant(t.Context(), one); !errors.Is(err, credential.ErrForbidden) {
		t.Fatalf("a relay's password opened the API: %v", err)
	}
}

func TestStaticTextWithTwoKeys(t *testing.T) {
	east, _ := regions(t)
	k := keyring(t, "us-east-1", east,
		credential.Static{Text: "demo", Request: request("demo", credential.Beat)},
		credential.Static{Text: "demo", Request: request("", credential.Admin)})
	g, err := k.Grant(t.Context(), "demo") // before any read of the table
	if err != nil || !g.MayBeat("demo") || g.MayBeat("other") || !g.Admin || g.Store != "" || g.Key != "static-2" {
		t.Fatalf("got %+v, %v", g, err)
	}
	if err := k.Revoke(t.Context(), "static-1"); !errors.Is(err, credential.ErrStatic) {
		t.Fatalf("a key of the configuration was revoked: %v", err)
	}
	o := credential.DefaultOptions()
	o.Region, o.Table = "us-east-1", east
	o.Static = []credential.Static{
		{Text: "x", Request: request("a", credential.Beat)}, {Text: "x", Request: request("b", credential.Beat, credential.Read)},
	}
	if _, err := credential.New(o); err == nil {
		t.Fatal("one text for two stores was taken")
	}
}

func TestTheTableHasNoText(t *testing.T) {
	east, _ := regions(t)
	k := loaded(t, "us-east-1", east)
	key, text := create(t, k, request("demo", credential.Beat))
	items, err := table.QueryAll(t.Context(), east, table.SettingsPK(table.Bucket(key.ID)), "us-east-1#key#"+key.ID)
	if err != nil || len(items) != 1 {
		t.Fatalf("got %d items, %v", len(items), err)
	}
	secret := text[strings.LastIndex(text, "_")+1:]
	if len(secret) != 32 || !strings.HasPrefix(text, "hbk_"+key.ID+"_") {
		t.Fatalf("the text is %q", text)
	}
	if strings.Contains(string(items[0].Doc), secret) {
		t.Fatal("the table has the secret")
	}
}

func TestOtherRegionKnowsAKeyOnFirstUse(t *testing.T) {
	east, west := regions(t)
	there := loaded(t, "us-east-1", east)
	here := loaded(t, "us-west-2", west)
	_, text := create(t, there, request("demo", credential.Beat))
	eventually(t, "replication, and the look-up of a key that was just made", func() bool {
		g, err := loaded(t, "us-west-2", west).Grant(t.Context(), text)
		return err == nil && g.MayBeat("demo")
	})
	if g, err := here.Grant(t.Context(), text); err != nil || !g.MayBeat("demo") {
		t.Fatalf("a key that is not in memory yet was refused: %+v, %v", g, err)
	}
	before := west.queries.Load()
	if _, err := here.Grant(t.Context(), text[:len(text)-2]+"!!"); !errors.Is(err, credential.ErrForbidden) {
		t.Fatalf("a wrong secret of a known id: %v", err)
	}
	if n := west.queries.Load() - before; n != 0 {
		t.Fatalf("a wrong secret of a known id cost %d reads", n)
	}
}

func TestRevocation(t *testing.T) {
	east, west := regions(t)
	there, here := loaded(t, "us-east-1", east), loaded(t, "us-west-2", west)
	key, text := create(t, there, request("demo", credential.Beat))
	eventually(t, "replication of the key", func() bool {
		return here.Load(t.Context()) == nil && here.Live(key.ID)
	})
	if err := here.Revoke(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := here.Grant(t.Context(), text); !errors.Is(err, credential.ErrForbidden) || here.Live(key.ID) {
		t.Fatalf("the key opens after its revocation: %v", err)
	}
	eventually(t, "the revocation in the region that made the key", func() bool {
		return there.Load(t.Context()) == nil && !there.Live(key.ID)
	})
	// A start finds both regions' items, in whatever order, and joins them.
	if again := loaded(t, "us-east-1", east); again.Live(key.ID) || len(again.List()) != 1 || again.List()[0].Revoked.IsZero() {
		t.Fatalf("after a restart: %+v", again.List())
	}
	if err := there.Revoke(t.Context(), key.ID); err != nil {
		t.Fatalf("a second revocation: %v", err)
	}
	if err := there.Revoke(t.Context(), "nosuchkey2222"); !errors.Is(err, credential.ErrNotFound) {
		t.Fatalf("an unknown key: %v", err)
	}
}

func TestLostAnswers(t *testing.T) {
	east, _ := regions(t)
	k := loaded(t, "us-east-1", east)
	east.loseNext.Store(true)
	key, text := create(t, k, request("", credential.Read))
	if _, err := k.Grant(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	east.loseNext.Store(true)
	if err := k.Revoke(t.Context(), key.ID); err != nil || k.Live(key.ID) {
		t.Fatalf("revoke: %v", err)
	}
}

func TestTableThatIsDown(t *testing.T) {
	east, _ := regions(t)
	k := loaded(t, "us-east-1", east)
	_, text := create(t, k, request("demo", credential.Beat))
	east.refuse.Store(true)
	if err := k.Load(t.Context()); !errors.Is(err, table.ErrUnavailable) {
		t.Fatalf("load: %v", err)
	}
	if _, err := k.Grant(t.Context(), text); err != nil {
		t.Fatalf("a key in memory was refused while the table is down: %v", err)
	}
	if _, _, err := k.Create(t.Context(), request("", credential.Read)); !errors.Is(err, table.ErrUnavailable) {
		t.Fatalf("create: %v", err)
	}
	// Who never read the keys cannot say that one is wrong.
	cold := keyring(t, "us-east-1", east, credential.Static{Text: "demo", Request: request("demo", credential.Beat)})
	if _, err := cold.Grant(t.Context(), text); !errors.Is(err, credential.ErrUnavailable) {
		t.Fatalf("a cold keyring said %v, want ErrUnavailable", err)
	}
	if _, err := cold.Grant(t.Context(), "demo"); err != nil {
		t.Fatalf("a key of the configuration waited for the table: %v", err)
	}
}

func TestGuessesCostFewReads(t *testing.T) {
	east, _ := regions(t)
	other := loaded(t, "us-east-1", east)
	k := loaded(t, "us-east-1", east)
	before := east.queries.Load()
	for range 1000 {
		_, _ = k.Grant(t.Context(), "wrong")
		_, _ = k.Grant(t.Context(), "hbk_short_x")
	}
	if n := east.queries.Load() - before; n != 0 {
		t.Fatalf("texts that are no keys cost %d reads", n)
	}
	_, absent := create(t, other, request("", credential.Beat))
	guess := absent[:4] + "zzzzzzzzzzzzz" + absent[17:]
	for range 100 {
		if _, err := k.Grant(t.Context(), guess); !errors.Is(err, credential.ErrForbidden) {
			t.Fatal(err)
		}
	}
	if n := east.queries.Load() - before; n != 1 {
		t.Fatalf("one absent key cost %d reads", n)
	}
	for i := range 1000 {
		id := strings.Repeat(string(rune('a'+i%20)), 10) + string([]byte{'a' + byte(i/400), 'a' + byte(i/20%20), 'a'})
		_, _ = k.Grant(t.Context(), absent[:4]+id+absent[17:])
	}
	if n := east.queries.Load() - before; n > 20 {
		t.Fatalf("a flood of guesses cost %d reads", n)
	}
}

func TestFirstAdmin(t *testing.T) {
	east, _ := regions(t)
	k := loaded(t, "us-east-1", east)
	text, err := k.FirstAdmin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if g, err := k.Grant(t.Context(), text); err != nil || !g.Admin {
		t.Fatalf("got %+v, %v", g, err)
	}
	if again, err := loaded(t, "us-east-1", east).FirstAdmin(t.Context()); err != nil || again != "" {
		t.Fatalf("a second start made another: %q, %v", again, err)
	}
	if err := k.Revoke(t.Context(), k.List()[0].ID); err != nil {
		t.Fatal(err)
	}
	if again, err := loaded(t, "us-east-1", east).FirstAdmin(t.Context()); err != nil || again == "" {
		t.Fatalf("who has lost every admin key is locked out for ever: %v", err)
	}
	static := loaded(t, "us-east-1", east, credential.Static{Text: "demo", Request: request("", credential.Admin)})
	if text, err := static.FirstAdmin(t.Context()); err != nil || text != "" {
		t.Fatalf("an admin of the configuration is one: %q, %v", text, err)
	}
}

func TestASpoiltItemLocksNobodyOut(t *testing.T) {
	east, _ := regions(t)
	k := loaded(t, "us-east-1", east)
	_, text := create(t, k, request("", credential.Beat))
	for _, id := range []string{"a", "b"} {
		key := table.SettingKey("us-east-1", "key", id)
		doc := map[string]string{"a": "{", "b": `{"v":1,"hash":"00"}`}[id]
		if err := east.Put(t.Context(), []table.Item{{Key: key, Doc: []byte(doc)}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := loaded(t, "us-east-1", east).Grant(t.Context(), text); err != nil {
		t.Fatal(err)
	}
}

func TestRunRefreshes(t *testing.T) {
	east, _ := regions(t)
	o := credential.DefaultOptions()
	o.Region, o.Table, o.RefreshEvery = "us-east-1", east, 10*time.Millisecond
	k, err := credential.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- k.Run(ctx) }()
	key, _ := create(t, loaded(t, "us-east-1", east), request("", credential.Beat))
	eventually(t, "a refresh", func() bool { return k.Live(key.ID) })
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
