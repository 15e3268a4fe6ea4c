// kube-apiserver-etcd is kube-apiserver with a one-member etcd in the same process, for tests on loopback.
//
// All flags are kube-apiserver's own. With TESTAPI_ETCD_DIR set, etcd is started on that folder and
// --etcd-servers is filled in; without it this is a plain kube-apiserver.
package main

import (
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register" // --logging-format=json
	"k8s.io/component-base/version"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

// Sockets in the working directory: no ports to choose or to lose, and no limit on the length of the
// folder's path (a socket's path may have about 100 characters).
const (
	clientSocket = "etcd.sock:0"
	peerSocket   = "etcd-peer.sock:0"
)

const etcdDeadline = time.Minute

func main() {
	if v := version.Get().GitVersion; strings.HasPrefix(v, "v0.0.0") {
		fmt.Fprintf(os.Stderr, "kube-apiserver-etcd: built as %s, which confuses clients: see README.md for the -ldflags\n", v)
		os.Exit(1)
	}
	if dir := os.Getenv("TESTAPI_ETCD_DIR"); dir != "" {
		if err := startEtcd(dir); err != nil {
			fmt.Fprintf(os.Stderr, "kube-apiserver-etcd: etcd in %s: %v\n", dir, err)
			os.Exit(1)
		}
		os.Args = append(os.Args, "--etcd-servers=unix://"+clientSocket)
	}
	// Etcd is not closed: it survives a kill, and closing it fills the log's end with its clients' errors.
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}

func startEtcd(dir string) error {
	c := embed.NewConfig()
	c.Name = "testapi"
	c.Dir = dir
	c.ListenClientUrls = []url.URL{{Scheme: "unix", Host: clientSocket}}
	c.AdvertiseClientUrls = c.ListenClientUrls
	c.ListenPeerUrls = []url.URL{{Scheme: "unix", Host: peerSocket}}
	c.AdvertisePeerUrls = c.ListenPeerUrls
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.EnableGRPCGateway = false
	c.LogLevel = "warn"
	c.WarningUnaryRequestDuration = embed.DefaultWarningUnaryRequestDuration // unset it warns of every request

	// A killed process loses nothing without fsync, only a crashed machine does.
	c.UnsafeNoFsync = true
	// Log segments are filled with zeros when made: 2 × 4 MB instead of 2 × 64 for each API server.
	wal.SegmentSizeBytes = 4 << 20
	// One member has nobody to wait for: elect at once (the default takes up to a second).
	c.TickMs, c.ElectionMs = 20, 200

	e, err := embed.StartEtcd(c)
	if err != nil {
		return err
	}
	select {
	case <-e.Server.ReadyNotify():
		return nil
	case err := <-e.Err():
		return err
	case <-time.After(etcdDeadline):
		return fmt.Errorf("not ready within %s", etcdDeadline)
	}
}
