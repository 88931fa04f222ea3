//! Providers and their keys. A key goes in and never comes out again, but to gateways, sealed for each.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::bundle::{Change, check_change};
use super::http::{Body, Created, Done, Granted, Json, Path, Route, delete, get, post, put};
use super::roles::Permission;
use super::seal::Sealed;
use super::server::Control;
use super::shelf::{Kept, Stored};
use super::users::name_mistake;
use crate::domain::Secret;

const KEY_BYTES_MAX: usize = 4096;
const KEYS_MAX: usize = 8;

/// Where a provider is. The fields mean what they mean under `upstream:` of `gateway.yaml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProviderSettings {
    /// Addresses; the first is used where it is in health.
    pub(super) urls: Vec<String>,
    /// `anthropic`, `openai` or `azure`.
    pub(super) dialect: String,
}

/// A provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Provider {
    pub(super) name: String,
    pub(super) settings: ProviderSettings,
    pub(super) keys: Vec<ProviderKey>,
}

/// One of its keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ProviderKey {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) sealed: Sealed,
    pub(super) created_ms: u64,
}

impl Stored for Provider {
    const KIND: &'static str = "provider";
    const IS_TOLD: bool = true;

    fn id(&self) -> &str {
        &self.name
    }
}

/// A provider, as the API shows one.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Provider")]
pub(super) struct ProviderView {
    /// Its name, also the first part of its path on gateways.
    pub(super) name: String,
    /// Where it is.
    pub(super) settings: ProviderSettings,
    /// Its keys, without the keys themselves.
    pub(super) keys: Vec<ProviderKeyView>,
}

/// A provider's key, without the key.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "ProviderKey")]
pub(super) struct ProviderKeyView {
    /// Its id.
    pub(super) id: String,
    /// What it is for.
    pub(super) name: String,
    /// Unix milliseconds.
    pub(super) created_ms: u64,
}

impl From<&Provider> for ProviderView {
    fn from(it: &Provider) -> Self {
        let key =
            |it: &ProviderKey| ProviderKeyView { id: it.id.clone(), name: it.name.clone(), created_ms: it.created_ms };
        ProviderView { name: it.name.clone(), settings: it.settings.clone(), keys: it.keys.iter().map(key).collect() }
    }
}

/// A provider to be made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProvider {
    /// Its name, which cannot be changed.
    pub(super) name: String,
    /// Where it is.
    pub(super) settings: ProviderSettings,
}

/// A provider's key to be kept.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProviderKey {
    /// What it is for.
    pub(super) name: String,
    /// The key.
    pub(super) key: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("providers.list", "/api/v1/providers", Permission::ReadProviders, list)
            .says("Providers, without their keys")
            .answers::<Vec<ProviderView>>(),
        post("providers.create", "/api/v1/providers", Permission::ManageProviders, create)
            .says("Adds a provider")
            .takes::<NewProvider>()
            .makes::<ProviderView>(),
        put("providers.change", "/api/v1/providers/{provider}", Permission::ManageProviders, change)
            .says("Sets where a provider is")
            .takes::<ProviderSettings>()
            .answers::<ProviderView>(),
        delete("providers.delete", "/api/v1/providers/{provider}", Permission::ManageProviders, remove)
            .says("Removes a provider with its keys"),
        post("providers.add_key", "/api/v1/providers/{provider}/keys", Permission::ManageProviders, add_key)
            .says("Keeps a key of the provider, sealed; it is never shown again")
            .takes::<NewProviderKey>()
            .makes::<ProviderView>(),
        delete(
            "providers.remove_key",
            "/api/v1/providers/{provider}/keys/{id}",
            Permission::ManageProviders,
            remove_key,
        )
        .says("Forgets a key"),
    ]
}

async fn list(State(control): State<Control>, _: Granted) -> Result<Json<Vec<ProviderView>>, Problem> {
    let all = control.shelf.all::<Provider>().await?;
    Ok(Json(all.iter().map(|it| ProviderView::from(&it.value)).collect()))
}

async fn create(
    State(control): State<Control>,
    granted: Granted,
    Body(new): Body<NewProvider>,
) -> Result<Created<ProviderView>, Problem> {
    Ok(Created(added(&control, &granted, new).await?))
}

/// Adds a provider.
pub(super) async fn added(control: &Control, granted: &Granted, new: NewProvider) -> Result<ProviderView, Problem> {
    name_mistake("provider", &new.name)?;
    let provider = Provider { name: new.name, settings: new.settings, keys: Vec::new() };
    check(&provider)?;
    check_change(control, &Change::Provider(provider.clone())).await?;
    control.shelf.insert(&provider).await?;
    let view = ProviderView::from(&provider);
    control.acts.changed(&granted.actor, "provider.created", &provider.name, None, Some(&view));
    Ok(view)
}

async fn change(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
    Body(settings): Body<ProviderSettings>,
) -> Result<Json<ProviderView>, Problem> {
    Ok(Json(changed(&control, &granted, &name, settings).await?))
}

/// Sets where a provider is.
pub(super) async fn changed(
    control: &Control,
    granted: &Granted,
    name: &str,
    settings: ProviderSettings,
) -> Result<ProviderView, Problem> {
    let mut provider = control.shelf.need::<Provider>(name).await?;
    let before = ProviderView::from(&provider.value);
    provider.value.settings = settings;
    check(&provider.value)?;
    check_change(control, &Change::Provider(provider.value.clone())).await?;
    kept(control, granted, &provider, &before).await
}

async fn remove(State(control): State<Control>, granted: Granted, Path(name): Path<String>) -> Result<Done, Problem> {
    removed(&control, &granted, &name).await?;
    Ok(Done)
}

/// Removes a provider with its keys.
pub(super) async fn removed(control: &Control, granted: &Granted, name: &str) -> Result<(), Problem> {
    let provider = control.shelf.need::<Provider>(name).await?;
    check_change(control, &Change::NoProvider(name.to_owned())).await?;
    control.shelf.delete(&provider).await?;
    let before = ProviderView::from(&provider.value);
    control.acts.changed(&granted.actor, "provider.deleted", name, Some(&before), None);
    Ok(())
}

async fn add_key(
    State(control): State<Control>,
    granted: Granted,
    Path(name): Path<String>,
    Body(new): Body<NewProviderKey>,
) -> Result<Created<ProviderView>, Problem> {
    Ok(Created(key_added(&control, &granted, &name, new).await?))
}

/// Keeps a key of a provider.
pub(super) async fn key_added(
    control: &Control,
    granted: &Granted,
    name: &str,
    new: NewProviderKey,
) -> Result<ProviderView, Problem> {
    name_mistake("key", &new.name)?;
    let mut provider = control.shelf.need::<Provider>(name).await?;
    let before = ProviderView::from(&provider.value);
    let key = Secret::new(new.key.trim().to_owned());
    let fits = !key.expose().is_empty() && key.expose().len() <= KEY_BYTES_MAX;
    if !fits || !key.expose().bytes().all(|it| it.is_ascii_graphic()) {
        return Err(Problem::invalid(format!("`key` has 1 to {KEY_BYTES_MAX} visible ASCII characters")));
    }
    if provider.keys.len() >= KEYS_MAX {
        return Err(Problem::conflict(format!("a provider has at most {KEYS_MAX} keys")));
    }
    let id = control.new_id();
    let sealed = control.master.seal(&key, &purpose(name, &id))?;
    let created_ms = control.shelf.now_ms();
    provider.value.keys.push(ProviderKey { id, name: new.name, sealed, created_ms });
    kept(control, granted, &provider, &before).await
}

async fn remove_key(
    State(control): State<Control>,
    granted: Granted,
    Path((name, id)): Path<(String, String)>,
) -> Result<Done, Problem> {
    key_removed(&control, &granted, &name, &id).await?;
    Ok(Done)
}

/// Forgets a key of a provider.
pub(super) async fn key_removed(control: &Control, granted: &Granted, name: &str, id: &str) -> Result<(), Problem> {
    let mut provider = control.shelf.need::<Provider>(name).await?;
    let before = ProviderView::from(&provider.value);
    if !provider.keys.iter().any(|it| it.id == id) {
        return Err(Problem::not_found("key", id));
    }
    provider.value.keys.retain(|it| it.id != id);
    kept(control, granted, &provider, &before).await.map(drop)
}

/// Keeps a provider as it is now, and writes down what is different.
async fn kept(
    control: &Control,
    granted: &Granted,
    provider: &Kept<Provider>,
    before: &ProviderView,
) -> Result<ProviderView, Problem> {
    control.shelf.update(provider).await?;
    let after = ProviderView::from(&provider.value);
    control.acts.changed(&granted.actor, "provider.changed", &provider.name, Some(before), Some(&after));
    Ok(after)
}

/// What a sealed key is bound to.
pub(super) fn purpose(provider: &str, id: &str) -> String {
    format!("provider/{provider}/{id}")
}

/// What the gateway's own loader would refuse is refused here, with the loader's words.
fn check(provider: &Provider) -> Result<(), Problem> {
    super::bundle::check_provider(provider)
        .map_err(|mistakes| Problem::invalid("this provider cannot be used").with(mistakes))
}
