//! The Python module `_native`: proving, verifying and running integer graphs.
//!
//! ```text
//! _native.f(arguments) = f(copies of the arguments), or NativeError(code, message, facts)
//! ```
//!
//! Arguments are copied before the interpreter is let go, so that nobody can change them meanwhile.
//! Every failure is a `NativeError(code, message)`; a panic of the prover is one too, with the code
//! `PANIC`. What the functions do is described in `_native.pyi`.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `facts` | the facts of a refusal, as Python's messages name them |
//! | `memory` | what the C library does with memory that is given back |
//! | `threads` | the threads that the prover works on |
//!
//! # Soundness
//!
//! Nothing is decided here: what the callers of the crates behind it must check, callers in Python must
//! check (`inferproof.proving.sumcheck` does). A panic is an error with the code `PANIC` and never a verdict.
// Python hands over what it was given; and `_native.pyi` is the documentation.
#![allow(clippy::needless_pass_by_value, clippy::wildcard_imports, missing_docs)]

mod facts;
mod memory;
mod threads;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use commitment::Profile;
use executor::Tensors;
use facts::Facts;
use graph::{Graph, Values};
use hiding::Secret;
use key::Public;
use layers::GraphSize;
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use prover::private::Inputs;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use verifier::Rejection;
use verifier::private::{Known, verify_knowing, verify_private_inputs};

pyo3::create_exception!(
    _native,
    NativeError,
    PyException,
    "A failure: args are a stable code and a message."
);

/// A failure on its way to Python, with the facts in its message where it has some.
struct Failure {
    code: String,
    message: String,
    facts: Facts,
}

impl Failure {
    fn new(code: &str, message: impl ToString) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_string(),
            facts: Facts::new(),
        }
    }

    fn with(self, facts: Facts) -> Self {
        Self { facts, ..self }
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        if failure.facts.is_empty() {
            return NativeError::new_err((failure.code, failure.message));
        }
        NativeError::new_err((failure.code, failure.message, failure.facts))
    }
}

impl From<executor::Fault> for Failure {
    fn from(fault: executor::Fault) -> Self {
        Self::new("EXECUTION", &fault)
    }
}

/// Failures that say their code themselves.
macro_rules! coded {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(error.code(), &error)
            }
        })*
    };
}

coded!(prover::ProveError, verifier::Rejection);

/// Does the work without the interpreter's lock, and turns a panic into a failure.
fn apart<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    let caught = py.detach(|| catch_unwind(AssertUnwindSafe(work)));
    caught.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Failure::new("PANIC", text.unwrap_or("no details")))
    })
}

/// The same on the prover's threads.
fn proving<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    apart(py, || threads::run(work))
}

type Array<'py, T> = PyReadonlyArray1<'py, T>;
type Outputs<'py> = Vec<Bound<'py, PyArray1<i32>>>;

fn copied<T: numpy::Element + Copy>(array: &Array<'_, T>) -> Vec<T> {
    array.as_array().iter().copied().collect()
}

fn all_copied(arrays: &[Array<'_, i32>]) -> Vec<Vec<i32>> {
    arrays.iter().map(copied).collect()
}

fn views(arrays: &[Vec<i32>]) -> Vec<&[i32]> {
    arrays.iter().map(Vec::as_slice).collect()
}

fn to_python(py: Python<'_>, outputs: Vec<Vec<i32>>) -> Outputs<'_> {
    let arrays = outputs.into_iter();
    arrays.map(|values| values.into_pyarray(py)).collect()
}

fn profile_of(name: &str) -> Result<Profile, Failure> {
    let unknown = || Failure::new("PROFILE", format!("there is no security profile {name}"));
    Profile::from_name(name).ok_or_else(unknown)
}

fn size_of(graph: &Graph) -> (u64, u64, u64) {
    let size = GraphSize::of(graph);
    (size.weights, size.products, size.steps)
}

/// The run in its place, which is proven once.
fn taken<T>(run: &Mutex<Option<T>>) -> Result<T, Failure> {
    let run = run.lock().unwrap_or_else(PoisonError::into_inner).take();
    run.ok_or_else(|| Failure::new("RUN_SPENT", "the run was proven already"))
}

/// The root of the commitment to inputs that follows from a key and a secret.
fn root_of(
    key: &key::PrivateKey,
    inputs: &[Vec<i32>],
    secret: [u8; 32],
) -> Result<[u8; 32], Failure> {
    Ok(Inputs::commit(key, &views(inputs), &Secret(secret))?.root())
}

/// What is said where ranges are not shown: what is wrong with a proof of theirs is nothing of a proof under the key.
fn unshown(rejection: Rejection) -> Failure {
    match rejection {
        Rejection::RangesMissing | Rejection::NoRanges(_) => rejection.into(),
        other => {
            let why = format!("the proof of the ranges is not valid: {other}");
            Failure::new("RANGES_INVALID", why)
        }
    }
}

/// Asks a Python callable whether to go on.
struct Asking(Option<Py<PyAny>>);

impl Asking {
    fn goes_on(&self, phase: prover::Phase) -> bool {
        let Some(callable) = &self.0 else {
            return true;
        };
        // A callable that fails says no: the caller then learns that it was cancelled.
        Python::attach(|py| callable.call1(py, (phase.name(),))?.extract(py)).unwrap_or(false)
    }
}

/// The tools of proof system `sumcheck`.
#[pymodule]
mod _native {
    use super::*;

    #[pymodule_export]
    use super::NativeError;

    // The macro asks for a result.
    #[allow(clippy::unnecessary_wraps)]
    #[pymodule_init]
    fn init(_module: &Bound<'_, PyModule>) -> PyResult<()> {
        memory::keep();
        Ok(())
    }

    /// The instruction sets that this build uses.
    #[pyfunction]
    fn build() -> &'static str {
        if cfg!(target_feature = "avx512f") {
            "avx512"
        } else if cfg!(target_feature = "avx2") {
            "avx2"
        } else {
            "portable"
        }
    }

    /// The digest of the sources of prover, verifier and commitment, which `scripts/native.py` gives to the
    /// compiler. Any other build has none.
    #[pyfunction]
    fn sources() -> &'static str {
        option_env!("INFERPROOF_SOURCES").unwrap_or_default()
    }

    #[pyfunction]
    fn use_threads(count: usize) -> usize {
        crate::threads::set(count)
    }

    #[pyfunction]
    fn threads() -> usize {
        crate::threads::get()
    }

    #[pyfunction]
    fn check_graph(py: Python<'_>, graph: &[u8]) -> PyResult<()> {
        apart(py, move || {
            Graph::decode(graph)?;
            Ok(())
        })?;
        Ok(())
    }

    #[pyfunction]
    fn graph_size(py: Python<'_>, graph: &[u8]) -> PyResult<(u64, u64, u64)> {
        let size = move || Ok(size_of(&Graph::decode(graph)?));
        Ok(apart(py, size)?)
    }

    #[pyfunction]
    #[pyo3(signature = (graph, weights, inputs, parameters=None))]
    fn run_graph<'py>(
        py: Python<'py>,
        graph: &[u8],
        weights: Array<'_, i8>,
        inputs: Vec<Array<'_, i32>>,
        parameters: Option<Array<'_, i32>>,
    ) -> PyResult<Outputs<'py>> {
        let (weights, inputs) = (copied(&weights), all_copied(&inputs));
        let parameters = parameters.as_ref().map(copied).unwrap_or_default();
        let outputs = apart(py, move || {
            let graph = Graph::decode(graph)?;
            let values = Values {
                weights: &weights,
                parameters: &parameters,
            };
            let mut tensors = Tensors::keeping([]);
            executor::execute(&graph, &values, &views(&inputs), &mut tensors)?;
            Ok(tensors.outputs(&graph).map(<[i32]>::to_vec).collect())
        })?;
        Ok(to_python(py, outputs))
    }

    #[pyfunction]
    fn security(py: Python<'_>, graph: &[u8], profile: &str) -> PyResult<String> {
        let profile = profile_of(profile)?;
        // The report does not depend on the weights.
        let report = move || {
            let key = key::PrivateKey::standard(Graph::decode(graph)?, profile)?;
            Ok(key.security().to_json())
        };
        Ok(apart(py, report)?)
    }

    #[pyfunction]
    fn commit_private<'py>(
        py: Python<'py>,
        graph: &[u8],
        weights: Array<'_, i8>,
        parameters: Array<'_, i32>,
        profile: &str,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>, PrivateKey)> {
        let (weights, parameters) = (copied(&weights), copied(&parameters));
        let profile = profile_of(profile)?;
        let commit = move || {
            let values = Values {
                weights: &weights,
                parameters: &parameters,
            };
            let graph = Graph::decode(graph)?;
            let (key, secret) = prover::private::ProvingKey::new(graph, &values, profile)?;
            memory::give_back();
            Ok((key.private_key().encode(), secret, key))
        };
        let (bytes, secret, key) = proving(py, commit)?;
        let (bytes, secret) = (PyBytes::new(py, &bytes), PyBytes::new(py, &secret.0));
        Ok((bytes, secret, PrivateKey(key)))
    }

    #[pyclass(frozen)]
    struct PrivateKey(prover::private::ProvingKey);

    #[pymethods]
    impl PrivateKey {
        #[new]
        #[pyo3(signature = (verifying_key, weights, parameters, secret, links=None))]
        fn new(
            py: Python<'_>,
            verifying_key: &[u8],
            weights: Array<'_, i8>,
            parameters: Array<'_, i32>,
            secret: [u8; 32],
            links: Option<&[u8]>,
        ) -> PyResult<Self> {
            let (weights, parameters) = (copied(&weights), copied(&parameters));
            let links = links.unwrap_or_default();
            let load = move || {
                let values = Values {
                    weights: &weights,
                    parameters: &parameters,
                };
                let secret = Secret(secret);
                let load = prover::private::ProvingKey::load;
                Ok(load(verifying_key, &values, secret, links)?)
            };
            Ok(Self(proving(py, load)?))
        }

        fn name<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
            PyBytes::new(py, &self.0.commitment().digest())
        }

        fn openings(&self) -> u64 {
            self.0.openings()
        }

        #[pyo3(signature = (inputs, secret=None))]
        fn execute(
            &self,
            py: Python<'_>,
            inputs: Vec<Array<'_, i32>>,
            secret: Option<[u8; 32]>,
        ) -> PyResult<PrivateExecution> {
            let inputs = all_copied(&inputs);
            let (run, private) = proving(py, || {
                let views = views(&inputs);
                let Some(secret) = secret else {
                    return Ok((self.0.run(&views)?, None));
                };
                let key = self.0.private_key();
                let private = Inputs::commit(key, &views, &Secret(secret))?;
                Ok((self.0.run_private(&views)?, Some(private)))
            })?;
            Ok(PrivateExecution {
                inputs,
                private,
                outputs: run.outputs().to_vec(),
                run: Mutex::new(Some(run)),
            })
        }

        fn input_root<'py>(
            &self,
            py: Python<'py>,
            inputs: Vec<Array<'_, i32>>,
            secret: [u8; 32],
        ) -> PyResult<Bound<'py, PyBytes>> {
            let inputs = all_copied(&inputs);
            let root = || root_of(self.0.private_key(), &inputs, secret);
            Ok(PyBytes::new(py, &apart(py, root)?))
        }

        #[pyo3(signature = (slot, goes_on=None, private_inputs=false))]
        fn begin(
            &self,
            py: Python<'_>,
            slot: u64,
            goes_on: Option<Py<PyAny>>,
            private_inputs: bool,
        ) -> PyResult<Epoch> {
            let asking = Asking(goes_on);
            let begin = || {
                let mut goes_on = |phase| asking.goes_on(phase);
                let begun = if private_inputs {
                    self.0.begin_private(slot, &mut goes_on)
                } else {
                    self.0.begin(slot, &mut goes_on)
                };
                memory::give_back();
                Ok(begun?)
            };
            Ok(Epoch(proving(py, begin)?))
        }

        fn range_parts(&self, py: Python<'_>) -> PyResult<usize> {
            Ok(apart(py, || Ok(self.0.range_parts()?))?)
        }

        #[pyo3(signature = (part, slot, goes_on=None))]
        fn prove_ranges<'py>(
            &self,
            py: Python<'py>,
            part: u8,
            slot: u64,
            goes_on: Option<Py<PyAny>>,
        ) -> PyResult<Bound<'py, PyBytes>> {
            let asking = Asking(goes_on);
            let prove = || {
                let mut goes_on = |phase| asking.goes_on(phase);
                Ok(self.0.prove_ranges(part, slot, &mut goes_on)?)
            };
            Ok(PyBytes::new(py, &proving(py, prove)?))
        }

        fn rotate<'py>(
            &self,
            py: Python<'py>,
            slot: u64,
        ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
            let rotate = || {
                let renewed = self.0.rotate(slot);
                memory::give_back();
                Ok(renewed?)
            };
            let (links, secret) = proving(py, rotate)?;
            Ok((PyBytes::new(py, &links), PyBytes::new(py, &secret.0)))
        }
    }

    /// A run of a graph, which is kept until it is proven.
    #[pyclass(frozen)]
    struct PrivateExecution {
        inputs: Vec<Vec<i32>>,
        /// These as they are committed to, where they are private.
        private: Option<Inputs>,
        outputs: Vec<Vec<i32>>,
        run: Mutex<Option<prover::private::Run>>,
    }

    #[pymethods]
    impl PrivateExecution {
        fn outputs<'py>(&self, py: Python<'py>) -> Outputs<'py> {
            to_python(py, self.outputs.clone())
        }

        fn input_root<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
            let private = self.private.as_ref();
            private.map(|inputs| PyBytes::new(py, &inputs.root()))
        }
    }

    /// A commitment to the weights in memory, with the links that tie it to its key.
    #[pyclass(frozen)]
    struct Epoch(prover::private::Epoch);

    #[pymethods]
    impl Epoch {
        fn name<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
            PyBytes::new(py, &self.0.commitment().digest())
        }

        fn openings(&self) -> u64 {
            self.0.openings()
        }

        fn proves(&self) -> bool {
            self.0.proves()
        }

        fn private_inputs(&self) -> bool {
            self.0.is_private()
        }

        #[pyo3(signature = (slot, goes_on=None, private_inputs=false))]
        fn begin(
            &self,
            py: Python<'_>,
            slot: u64,
            goes_on: Option<Py<PyAny>>,
            private_inputs: bool,
        ) -> PyResult<Self> {
            let asking = Asking(goes_on);
            let begin = || {
                let mut goes_on = |phase| asking.goes_on(phase);
                if private_inputs {
                    return Ok(self.0.begin_private(slot, &mut goes_on)?);
                }
                Ok(self.0.begin(slot, &mut goes_on)?)
            };
            Ok(Self(proving(py, begin)?))
        }

        #[pyo3(signature = (execution, statement, slot, goes_on=None, attempt=0))]
        fn prove<'py>(
            &self,
            py: Python<'py>,
            execution: &PrivateExecution,
            statement: [u8; 32],
            slot: u64,
            goes_on: Option<Py<PyAny>>,
            attempt: u64,
        ) -> PyResult<Bound<'py, PyBytes>> {
            let asking = Asking(goes_on);
            let run = taken(&execution.run)?;
            let prove = || {
                let mut goes_on = |phase| asking.goes_on(phase);
                if let Some(private) = &execution.private {
                    let given = (private, attempt);
                    let epoch = &self.0;
                    return Ok(epoch.prove_private(&run, given, statement, slot, &mut goes_on)?);
                }
                let inputs = views(&execution.inputs);
                let proof = self.0.prove(&run, &inputs, statement, slot, &mut goes_on)?;
                Ok(proof)
            };
            Ok(PyBytes::new(py, &proving(py, prove)?))
        }
    }

    /// A verifying key whose weights were shown to be in their ranges, with the links that were checked under it.
    #[pyclass(frozen)]
    struct VerifyingKey {
        key: key::PrivateKey,
        known: Known,
    }

    #[pymethods]
    impl VerifyingKey {
        #[new]
        #[pyo3(signature = (verifying_key, ranges=None))]
        fn new(py: Python<'_>, verifying_key: &[u8], ranges: Option<&[u8]>) -> PyResult<Self> {
            let ranges = ranges.unwrap_or_default();
            let decode = move || {
                let key = key::PrivateKey::decode(verifying_key)?;
                verifier::private::verify_ranges(&key, ranges).map_err(unshown)?;
                Ok(key)
            };
            Ok(Self {
                key: apart(py, decode)?,
                known: Known::default(),
            })
        }

        fn graph<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
            PyBytes::new(py, &self.key.graph().encode())
        }

        fn inputs(&self) -> Vec<(Vec<usize>, i32, i32)> {
            let inputs = self.key.graph().inputs.iter();
            inputs
                .map(|input| (input.shape.clone(), input.lo, input.hi))
                .collect()
        }

        fn outputs(&self) -> Vec<Vec<usize>> {
            let graph = self.key.graph();
            let tensors = graph.outputs.iter().filter_map(|&id| graph.tensor(id));
            tensors.map(|(shape, ..)| shape.to_vec()).collect()
        }

        fn size(&self) -> (u64, u64, u64) {
            size_of(self.key.graph())
        }

        #[pyo3(signature = (private_inputs=false))]
        fn security(&self, py: Python<'_>, private_inputs: bool) -> PyResult<String> {
            let security = || {
                if private_inputs {
                    let security = self.key.security_of_private_inputs();
                    return Ok(security.map_err(Clone::clone)?.to_json());
                }
                Ok(self.key.security().to_json())
            };
            Ok(apart(py, security)?)
        }

        fn input_root<'py>(
            &self,
            py: Python<'py>,
            inputs: Vec<Array<'_, i32>>,
            secret: [u8; 32],
        ) -> PyResult<Bound<'py, PyBytes>> {
            let inputs = all_copied(&inputs);
            let root = || root_of(&self.key, &inputs, secret);
            Ok(PyBytes::new(py, &apart(py, root)?))
        }

        #[pyo3(signature = (inputs, outputs, statement, proof, input_root=None))]
        fn verify(
            &self,
            py: Python<'_>,
            inputs: Option<Vec<Array<'_, i32>>>,
            outputs: Vec<Array<'_, i32>>,
            statement: [u8; 32],
            proof: &[u8],
            input_root: Option<[u8; 32]>,
        ) -> PyResult<()> {
            if inputs.is_some() == input_root.is_some() {
                let why = "either inputs or the root of their commitment are to be given";
                return Err(Failure::new("INPUT_MISMATCH", why).into());
            }
            let inputs = inputs.map(|inputs| all_copied(&inputs));
            let (inputs, outputs) = (inputs.unwrap_or_default(), all_copied(&outputs));
            let verify = || {
                let public = Public {
                    inputs: &views(&inputs),
                    outputs: &views(&outputs),
                    statement,
                };
                let (key, known) = (&self.key, &self.known);
                match input_root {
                    None => verify_knowing(key, known, &public, proof)?,
                    Some(root) => verify_private_inputs(key, known, &root, &public, proof)?,
                }
                Ok(())
            };
            Ok(apart(py, verify)?)
        }
    }
}
