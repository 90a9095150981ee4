package private

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the user that the private server runs as: PostgreSQL refuses to run as root.
type account struct {
	name     string
	uid, gid uint32
	// drop is set when we are root and the server must run as somebody else.
	drop bool
}

// serverAccount is the current user or, for root, user postgres, else nobody.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{name: "the current user", uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(found.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(found.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return account{}, fmt.Errorf("reading user %q: %w", name, err)
		}
		return account{name: name, uid: uint32(uid), gid: uint32(gid), drop: true}, nil
	}
	return account{}, errors.New("PostgreSQL cannot run as root, and there is neither a user postgres nor nobody: " +
		"run as another user")
}

// credential is what a process must be started with, or nil for the current user.
func (a account) credential() *syscall.Credential {
	if !a.drop {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

// own gives a file or folder to the account.
func (a account) own(name string) error {
	if !a.drop {
		return nil
	}
	return os.Chown(name, int(a.uid), int(a.gid))
}

// canConnect reports whether the account may pass through every folder on the way to name, and read it.
func (a account) canConnect(name string) bool {
	if !a.drop {
		return true
	}
	name, err := filepath.Abs(name)
	if err != nil {
		return false
	}
	for ; ; name = filepath.Dir(name) {
		if found, err := os.Stat(name); err == nil && !a.mayPass(found) {
			return false
		}
		if name == filepath.Dir(name) {
			return true
		}
	}
}

func (a account) mayPass(found os.FileInfo) bool {
	mode := found.Mode().Perm()
	owner, ok := found.Sys().(*syscall.Stat_t)
	switch {
	case ok && owner.Uid == a.uid:
		return mode&0o500 == 0o500
	case ok && owner.Gid == a.gid:
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}

// sharedDir is a folder of root's that every user can pass: for what the server's account could not reach in the
// state directory. It is /var/lib/footbridge, and a fresh temporary folder where that cannot be had.
func sharedDir() (string, error) {
	const shared = "/var/lib/footbridge"
	if err := os.MkdirAll(shared, 0o755); err == nil {
		found, err := os.Lstat(shared)
		if err != nil {
			return "", err
		}
		owner, ok := found.Sys().(*syscall.Stat_t)
		if found.IsDir() && found.Mode().Perm()&0o022 == 0 && ok && owner.Uid == 0 {
			return shared, os.Chmod(shared, 0o755)
		}
	}
	dir, err := os.MkdirTemp("", "footbridge-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}
