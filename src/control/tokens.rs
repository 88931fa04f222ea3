//! API tokens: for programs that act for a user, with some of the user's permissions.

use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::http::{Access, Body, Created, Done, Granted, Json, Path, Route, delete, get, post};
use super::roles::Permission;
use super::seal::{digest, token};
use super::server::Control;
use super::shelf::{Batch, Stored};
use super::sign_in::own_session;
use super::time::DAY_MS;
use super::users::{distinct, name_mistake};

/// What every token begins with, so that it is known where it is found.
pub(super) const PREFIX: &str = "arg-api-";
/// Longest life of a token.
const DAYS_MAX: u32 = 366;
/// Tokens that one user has at the same time.
const TOKENS_MAX: usize = 100;

/// A token, by its digest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Token {
    pub(super) id: String,
    /// The user it acts for.
    pub(super) user: String,
    pub(super) name: String,
    digest: String,
    pub(super) scopes: Vec<Permission>,
    pub(super) created_ms: u64,
    pub(super) expires_ms: u64,
}

impl Stored for Token {
    const KIND: &'static str = "token";

    fn id(&self) -> &str {
        &self.id
    }

    fn lookup(&self) -> Option<String> {
        Some(self.digest.clone())
    }

    fn parent(&self) -> Option<String> {
        Some(self.user.clone())
    }

    fn expires_ms(&self) -> Option<u64> {
        Some(self.expires_ms)
    }
}

/// A token, as the API shows one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Token")]
pub(super) struct TokenView {
    /// Its id.
    pub(super) id: String,
    /// What it is for.
    pub(super) name: String,
    /// What it may do, where its user may.
    pub(super) scopes: Vec<Permission>,
    /// Unix milliseconds.
    pub(super) created_ms: u64,
    /// Unix milliseconds.
    pub(super) expires_ms: u64,
}

impl From<&Token> for TokenView {
    fn from(it: &Token) -> Self {
        TokenView {
            id: it.id.clone(),
            name: it.name.clone(),
            scopes: it.scopes.clone(),
            created_ms: it.created_ms,
            expires_ms: it.expires_ms,
        }
    }
}

/// A token to be made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    /// What it is for.
    pub(super) name: String,
    /// What it may do; never more than its user.
    pub(super) scopes: Vec<Permission>,
    /// How long it holds, 1 to 366.
    pub(super) days: u32,
}

/// A new token. The token itself is shown this once.
#[derive(Clone, Serialize, JsonSchema)]
pub(super) struct IssuedToken {
    /// The token.
    pub(super) token: String,
    /// What is kept of it.
    #[serde(flatten)]
    view: TokenView,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("tokens.list", "/api/v1/tokens", Access::SignedIn, list)
            .says("The tokens of the one who asks")
            .answers::<Vec<TokenView>>(),
        post("tokens.create", "/api/v1/tokens", Access::SignedIn, create)
            .says("Makes a token; shown once")
            .takes::<NewToken>()
            .makes::<IssuedToken>(),
        delete("tokens.revoke", "/api/v1/tokens/{id}", Access::SignedIn, revoke)
            .says("Ends a token of the one who asks, who is signed in"),
    ]
}

async fn list(State(control): State<Control>, granted: Granted) -> Result<Json<Vec<TokenView>>, Problem> {
    let tokens = control.shelf.of::<Token>(granted.user()?).await?;
    Ok(Json(tokens.iter().map(|it| TokenView::from(&it.value)).collect()))
}

async fn create(
    State(control): State<Control>,
    granted: Granted,
    Body(new): Body<NewToken>,
) -> Result<Created<IssuedToken>, Problem> {
    Ok(Created(issued(&control, &granted, new).await?))
}

/// Makes a token for the one who asks.
pub(super) async fn issued(control: &Control, granted: &Granted, new: NewToken) -> Result<IssuedToken, Problem> {
    name_mistake("token", &new.name)?;
    if !(1..=DAYS_MAX).contains(&new.days) {
        return Err(Problem::invalid(format!("`days` is {}, and has to be 1 to {DAYS_MAX}", new.days)));
    }
    if let Some(beyond) = new.scopes.iter().find(|it| granted.reach_of(**it).is_none()) {
        return Err(Problem::forbidden(format!("a token cannot be given what you may not do: `{}`", beyond.name())));
    }
    granted.need_session("make tokens, which would outlive it")?;
    let session = own_session(control, granted).await?;
    if control.shelf.of::<Token>(granted.user()?).await?.len() >= TOKENS_MAX {
        return Err(Problem::conflict(format!("you have {TOKENS_MAX} tokens: revoke some first")));
    }
    let secret = format!("{PREFIX}{}", token()?);
    let now = control.shelf.now_ms();
    let token = Token {
        id: control.new_id(),
        user: granted.user()?.to_owned(),
        name: new.name,
        digest: digest(&secret),
        scopes: distinct(new.scopes),
        created_ms: now,
        expires_ms: now.saturating_add(u64::from(new.days) * DAY_MS),
    };
    // With its session: one that ends at this moment makes no token any more.
    control.shelf.commit(Batch::default().insert(&token).update(&session)).await?;
    let view = TokenView::from(&token);
    control.acts.changed(&granted.actor, "token.created", &token.id, None, Some(&view));
    Ok(IssuedToken { token: secret, view })
}

async fn revoke(State(control): State<Control>, granted: Granted, Path(id): Path<String>) -> Result<Done, Problem> {
    revoked(&control, &granted, &id).await?;
    Ok(Done)
}

/// Ends a token of the one who asks.
pub(super) async fn revoked(control: &Control, granted: &Granted, id: &str) -> Result<(), Problem> {
    granted.need_session("end tokens")?;
    let token = control.shelf.need::<Token>(id).await?;
    if token.user != granted.user()? {
        return Err(Problem::not_found(Token::KIND, id));
    }
    control.shelf.delete(&token).await?;
    control.acts.changed(&granted.actor, "token.revoked", id, Some(&TokenView::from(&token.value)), None);
    Ok(())
}

/// The token that this is, if it is one.
pub(super) async fn presented(control: &Control, secret: &str) -> Result<Option<Token>, Problem> {
    Ok(control.shelf.find::<Token>(&digest(secret)).await?.map(|it| it.value))
}

/// Ends all tokens of a user, whatever else is done to them at this moment; how many there were.
pub(super) async fn revoke_all(control: &Control, user: &str) -> Result<usize, Problem> {
    let tokens = control.shelf.of::<Token>(user).await?;
    for token in &tokens {
        control.shelf.take::<Token>(&token.id).await?;
    }
    Ok(tokens.len())
}
