package settings_test

import (
	"io"
	"strings"
	"testing"

	"github.com/hb-mesh/hb-mesh/cmd/internal/settings"
)

func TestLogging(t *testing.T) {
	for _, c := range []struct{ level, format, want string }{
		{"info", "text", ""},
		{"debug", "json", ""},
		{"loud", "text", "log.level"},
		{"info", "xml", "log.format"},
	} {
		_, err := settings.Logging{Level: c.level, Format: c.format}.Logger(io.Discard)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: %v", c.level, c.format, err)
		}
	}
}
