package local_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hb-mesh/hb-mesh/broker/table"
	"github.com/hb-mesh/hb-mesh/cloud/local"
	"github.com/hb-mesh/hb-mesh/relay/beat"
)

// childDir, in the environment, makes the test binary the child of
// TestKilledStoreKeepsAndCarriesWhatItAcked.
const childDir = "HB_LOCAL_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

// child writes in both regions until it is killed, and prints what was acked.
func child(dir string) int {
	o := local.DefaultOptions(dir, east, west)
	// Late enough that much is on its way when the end comes.
	o.Passage = func(local.Change) local.Passage { return local.Passage{Lag: 300 * time.Millisecond} }
	s, err := local.Open(o)
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	acked := make(chan string)
	for w := range 8 {
		tb := s.Region([]beat.Region{east, west}[w%2])
		go func() {
			for n := 0; ; n++ {
				sk := fmt.Sprintf("%d#%d#%d", os.Getpid(), w, n)
				if err := tb.Write(context.Background(), table.Write{Item: item(sk, "x"), If: table.IfAbsent}); err != nil {
					acked <- "error " + err.Error()
				}
				acked <- sk
			}
		}()
	}
	for sk := range acked {
		fmt.Println(sk)
	}
	return 0
}

func TestKilledStoreKeepsAndCarriesWhatItAcked(t *testing.T) {
	dir := t.TempDir()
	var acked []string
	for range 5 {
		acked = append(acked, killedRun(t, dir)...)
	}
	s := open(t, local.DefaultOptions(dir, east, west))
	await(t, s)
	for _, region := range []beat.Region{east, west} {
		held := map[string]bool{}
		for _, line := range contents(t, s.Region(region)) {
			held[strings.TrimSuffix(line, "=x")] = true
		}
		missing := slices.DeleteFunc(slices.Clone(acked), func(sk string) bool { return held[sk] })
		if len(missing) > 0 {
			t.Errorf("of %d acked writes %d are not in %s, such as %s", len(acked), len(missing), region, missing[0])
		}
	}
}

// killedRun kills a child after some of its writes, and returns what it acked.
func killedRun(t *testing.T, dir string) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var acked []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "error") {
			t.Errorf("the child says: %s", lines.Text())
			break
		}
		acked = append(acked, lines.Text())
		if len(acked) == 400 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // killed, as it should be
	// The last line may be torn, and what is torn is a prefix of another key.
	return acked[:len(acked)-1]
}
