package system

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	pgcontainer "github.com/testcontainers/testcontainers-go/modules/postgres"
	"github.com/testcontainers/testcontainers-go/wait"

	"footbridge/libs/testkit"
)

// binary is the program under test, built once; folder is where, and where steered builds the one whose clock a test
// holds.
var binary, folder string

var steeredBinary = sync.OnceValues(func() (string, error) {
	at := filepath.Join(folder, "footbridge-steered")
	return at, build(at, "-tags", "failpoints")
})

func build(at string, flags ...string) error {
	command := exec.Command("go", append(append([]string{"build", "-o", at}, flags...),
		"footbridge/services/footbridge")...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return nil
}

// Main builds the program, decides where the servers come from and runs the tests: PostgreSQL in a container where a
// Docker engine answers, the private one of libs/pg elsewhere; NATS is the program's own, which knows its users' keys.
// The tests are the same, and none is left out. It returns the exit code, for TestMain.
func Main(m *testing.M) int {
	code, err := prepareAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "preparing the system under test:", err)
		return 1
	}
	return code
}

func prepareAndRun(m *testing.M) (code int, err error) {
	if folder, err = os.MkdirTemp("", "footbridge-system-"); err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	binary = filepath.Join(folder, "footbridge")
	if err := build(binary); err != nil {
		return 1, err
	}
	stop, err := containers()
	defer stop()
	if err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// containers starts PostgreSQL in a container, where there is an engine that answers and no server is given.
func containers() (stop func(), err error) {
	var started []testcontainers.Container
	stop = func() {
		for _, c := range started {
			_ = testcontainers.TerminateContainer(c)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if os.Getenv(testkit.TestDatabaseURL) != "" || !engineAnswers(ctx) {
		return stop, nil
	}
	database, err := pgcontainer.Run(ctx, "postgres:15", pgcontainer.WithDatabase("footbridge"),
		testcontainers.WithCmdArgs("-c", "max_connections=300", "-c", "logging_collector=on"),
		testcontainers.WithWaitStrategy(wait.ForListeningPort("5432/tcp"),
			wait.ForLog("ready to accept connections").WithOccurrence(2)))
	if database != nil {
		started = append(started, database)
	}
	if err != nil {
		return stop, fmt.Errorf("starting PostgreSQL in a container: %w", err)
	}
	url, err := database.ConnectionString(ctx, "sslmode=disable")
	if err != nil {
		return stop, err
	}
	return stop, os.Setenv(testkit.TestDatabaseURL, url)
}

// engineAnswers asks the Docker engine, if there is one, whether it is well.
func engineAnswers(ctx context.Context) (well bool) {
	defer func() { // the library panics where it finds no engine at all
		if recover() != nil {
			well = false
		}
	}()
	provider, err := testcontainers.ProviderDocker.GetProvider()
	if err != nil {
		return false
	}
	defer func() { _ = provider.Close() }()
	return provider.Health(ctx) == nil
}
