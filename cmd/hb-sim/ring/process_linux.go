package ring

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes the kernel end the child with us, also by kill -9: a
// ministack that is left over would hold the port.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
