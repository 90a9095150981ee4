package fault

import "syscall"

// dieWithParent makes the kernel kill a child when this test dies.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
