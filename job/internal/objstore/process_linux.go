package objstore

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// bootID names the boot of this kernel and this process's pid and time
// namespaces, within which process ids and start times can be compared. It is
// "" where any of them is not known. Containers share a boot id, and may share
// a host name, so the namespaces are needed.
func bootID() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	id := strings.TrimSpace(string(boot))
	for _, ns := range []string{"pid", "time"} {
		link, err := os.Readlink("/proc/self/ns/" + ns)
		if errors.Is(err, os.ErrNotExist) && ns == "time" {
			continue // before Linux 5.6
		} else if err != nil {
			return ""
		}
		id += "/" + link
	}
	return id
}

// processStart returns when a process started, in clock ticks since the boot
// ("" where that cannot be read), or that there is no such process any more.
func processStart(pid int) (start string, ended bool) {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return "", true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", false // hidden from us
	}
	// proc_pid_stat(5): pid (comm) state ppid ...; comm may hold anything,
	// state is field 3, starttime field 22.
	_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return "", false
	}
	return fields[19], fields[0] == "Z" || fields[0] == "X"
}
