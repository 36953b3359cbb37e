// Package check holds the manifests in scripts/deploy to the types of the engines that take them: what an engine does
// not know, or what is of another type, is an error here rather than in the first night. The product never needs it, so
// it is a module of its own.
package check

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	awsbatch "github.com/aws/aws-sdk-go-v2/service/batch"
	awstypes "github.com/aws/aws-sdk-go-v2/service/batch/types"
	gcpbatch "google.golang.org/api/batch/v1"
	cloudrun "google.golang.org/api/run/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/yaml"
)

// final are the exit codes that are never repeated.
var final = []int32{2, 3, 4}

// read returns a manifest with the values that a night puts in.
func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"IMAGE": "registry/assent:v1", "PLAN": "gs://training/marketplace/_plan/1", "TASKS": "16", "AS_OF": "2026-11-20T00:00:00Z", "PROJECT": "project",
	}
	return []byte(os.Expand(string(data), func(key string) string {
		value, ok := values[key]
		if !ok {
			t.Errorf("%s: $%s has no value", name, key)
		}
		return value
	}))
}

// strict decodes JSON whose every key is a field of what it is decoded into.
func strict(t *testing.T, data []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatal(err)
	}
}

// job decodes a Job as an API server with fieldValidation=Strict does.
func job(data []byte) (*batch.Job, error) {
	scheme := runtime.NewScheme()
	if err := batch.AddToScheme(scheme); err != nil {
		return nil, err
	}
	var job batch.Job
	_, _, err := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer().Decode(data, nil, &job)
	return &job, err
}

func TestKubernetes(t *testing.T) {
	for _, name := range []string{"plan", "shards", "commit"} {
		t.Run(name, func(t *testing.T) {
			job, err := job(read(t, "kubernetes/"+name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			for _, wrong := range wrongs(job) {
				t.Error(wrong)
			}
			if indexed := job.Spec.CompletionMode != nil; indexed != (name == "shards") {
				t.Errorf("indexed: %v", indexed)
			}
		})
	}
}

// wrongs says what an API server refuses beyond fields and types, and what a night relies on.
func wrongs(job *batch.Job) (wrong []string) {
	must := func(holds bool, what string) {
		if !holds {
			wrong = append(wrong, what)
		}
	}
	s := &job.Spec
	pod := &s.Template.Spec
	must(pod.RestartPolicy == core.RestartPolicyNever, "restartPolicy: a podFailurePolicy needs Never")
	must(len(pod.Containers) == 1, "containers: one")
	must(s.PodFailurePolicy != nil && len(s.PodFailurePolicy.Rules) == 2, "podFailurePolicy: two rules")
	if len(wrong) > 0 {
		return wrong
	}
	c := pod.Containers[0]
	for _, m := range c.VolumeMounts {
		must(slices.ContainsFunc(pod.Volumes, func(v core.Volume) bool { return v.Name == m.Name }), "volumeMounts: "+m.Name+" is no volume")
	}
	exit, gone := s.PodFailurePolicy.Rules[0], s.PodFailurePolicy.Rules[1]
	must(exit.Action == batch.PodFailurePolicyActionFailJob, "rule 0: action")
	must(exit.OnExitCodes != nil && exit.OnExitCodes.Operator == batch.PodFailurePolicyOnExitCodesOpIn &&
		slices.Equal(exit.OnExitCodes.Values, final) && *exit.OnExitCodes.ContainerName == c.Name, "rule 0: exit codes")
	must(gone.Action == batch.PodFailurePolicyActionIgnore, "rule 1: action")
	must(len(gone.OnPodConditions) == 1 && gone.OnPodConditions[0].Type == core.DisruptionTarget &&
		gone.OnPodConditions[0].Status == core.ConditionTrue, "rule 1: condition")
	if s.CompletionMode == nil {
		must(s.BackoffLimit != nil && s.BackoffLimitPerIndex == nil, "backoffLimit: of the job, as it is not indexed")
		return wrong
	}
	must(*s.CompletionMode == batch.IndexedCompletion, "completionMode")
	must(s.BackoffLimitPerIndex != nil && *s.BackoffLimitPerIndex > 0, "backoffLimitPerIndex")
	must(*s.Completions == 16 && *s.Parallelism == 16, "completions and parallelism: as many as tasks")
	return wrong
}

// What is wrong in a manifest is found: each line of the table spoils a good one.
func TestKubernetesSpoilt(t *testing.T) {
	for name, spoil := range map[string][2]string{
		"unknown field":        {"backoffLimitPerIndex", "backoffLimitPerIndexes"},
		"misplaced field":      {"restartPolicy: Never", "restartPolicy: Never\n      parallelism: 3"},
		"wrong type":           {"values: [2, 3, 4]", "values: [two]"},
		"twice the same field": {"completionMode: Indexed", "completionMode: Indexed\n  completionMode: Indexed"},
		"bad restart policy":   {"restartPolicy: Never", "restartPolicy: Alwayz"},
		"bad action":           {"action: FailJob", "action: StopJob"},
		"bad operator":         {"operator: In", "operator: Within"},
		"bad completion mode":  {"completionMode: Indexed", "completionMode: Numbered"},
		"another container":    {"containerName: assent", "containerName: main"},
		"retried refusal":      {"values: [2, 3, 4]", "values: [2, 4]"},
		"no such volume":       {"{name: job, mountPath", "{name: jobs, mountPath"},
	} {
		t.Run(name, func(t *testing.T) {
			good := read(t, "kubernetes/shards.yaml")
			bad := bytes.Replace(good, []byte(spoil[0]), []byte(spoil[1]), 1)
			if bytes.Equal(good, bad) {
				t.Fatal("nothing was spoilt")
			}
			if job, err := job(bad); err == nil && len(wrongs(job)) == 0 {
				t.Error("was not found")
			}
		})
	}
}

func TestCloudRun(t *testing.T) {
	data, err := yaml.YAMLToJSONStrict(read(t, "cloudrun/shards.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var job cloudrun.Job
	strict(t, data, &job)
	if tasks := job.Spec.Template.Spec.Template.Spec; tasks.MaxRetries == 0 || len(tasks.Containers) != 1 {
		t.Errorf("tasks: %+v", tasks)
	}
}

func TestGoogleBatch(t *testing.T) {
	var job gcpbatch.Job
	strict(t, read(t, "gcp-batch/shards.json"), &job)
	group := job.TaskGroups[0]
	policy := group.TaskSpec.LifecyclePolicies[0]
	// The client has no constants for these: the values are those that its documentation lists.
	if group.TaskCount != 16 || group.TaskSpec.MaxRetryCount == 0 || policy.Action != "FAIL_TASK" ||
		job.AllocationPolicy.Instances[0].Policy.ProvisioningModel != "SPOT" || job.LogsPolicy.Destination != "CLOUD_LOGGING" {
		t.Errorf("job: %+v, policy: %+v", job, policy)
	}
	var codes []int32
	for _, code := range policy.ActionCondition.ExitCodes {
		codes = append(codes, int32(code))
	}
	if !slices.Equal(codes, final) {
		t.Errorf("not repeated: %v", codes)
	}
}

func TestAWSBatch(t *testing.T) {
	data, err := os.ReadFile("../aws-batch/shards.json") // its $ are the task's, not ours
	if err != nil {
		t.Fatal(err)
	}
	var job awsbatch.RegisterJobDefinitionInput
	strict(t, data, &job)
	known := slices.Contains(job.Type.Values(), job.Type)
	for _, p := range job.PlatformCapabilities {
		known = known && slices.Contains(p.Values(), p)
	}
	for _, r := range job.ContainerProperties.ResourceRequirements {
		known = known && slices.Contains(r.Type.Values(), r.Type)
	}
	if !known {
		t.Error("a type, a platform or a resource is unknown")
	}
	var stops []string
	rules := job.RetryStrategy.EvaluateOnExit
	for _, rule := range rules[:len(rules)-1] {
		if rule.Action == awstypes.RetryActionExit && rule.OnExitCode != nil {
			stops = append(stops, *rule.OnExitCode)
		}
	}
	if last := rules[len(rules)-1]; !slices.Equal(stops, []string{"2", "3", "4"}) || last.Action != awstypes.RetryActionRetry {
		t.Errorf("not repeated: %v; the last rule: %v", stops, last)
	}
}
